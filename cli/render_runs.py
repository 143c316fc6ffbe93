"""Runs, their tasks and their routing as tables."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from .figures import clipped, count, money, seconds, size
from .outcome import answer_text
from .render_events import error_words, stats_words
from .streams import on_terminal, one_line, rendered
from .tables import Column, table

if TYPE_CHECKING:
    from rich.table import Table

    from ai3ray.domain.events import Candidate, Decision
    from ai3ray.domain.result import RunResult, TaskResult
    from ai3ray.domain.verdict import Verdict
    from ai3ray.domain.views import PruneReport, RunRow


def rows_json(rows: Sequence[RunRow]) -> str:
    """Runs as the JSON list that the contract shows."""
    return json.dumps([row.model_dump(mode="json") for row in rows], indent=2, ensure_ascii=False)


def runs_table(rows: Sequence[RunRow]) -> Table:
    """Runs, a line each."""
    columns = (
        Column("run", keep=True),
        Column("status"),
        Column("started"),
        Column("time", right=True),
        Column("cost", right=True),
        Column("prompt"),
    )
    return table(
        columns,
        (
            (
                row.run_id,
                row.status,
                row.started_at[:19],
                seconds(row.seconds),
                money(row.cost_usd),
                clipped(one_line(row.prompt), 60),
            )
            for row in rows
        ),
    )


def run_text(result: RunResult, *, width: int | None = None) -> str:
    """A run in full: heading, tasks, warnings, answer."""
    head = [f"{result.run_id}  {result.status}", stats_words(result.stats)]
    if result.prompt:
        head.insert(1, clipped(one_line(result.prompt), 200))
    if result.error:
        head.append(one_line(error_words(result.error)))
    head += [f"warning: {one_line(warning)}" for warning in result.warnings]
    parts = ["\n".join(head) + "\n"]
    if result.tasks:
        parts.append(rendered(tasks_table(result.tasks), width=width))
    if result.output:
        parts.append(answer_text(result.output, terminal=on_terminal(sys.stdout)))
    return "\n".join(parts)


def tasks_table(tasks: Sequence[TaskResult]) -> Table:
    """Tasks with their verdicts."""
    columns = (
        Column("task", keep=True),
        Column("status"),
        Column("model"),
        Column("tries", right=True),
        Column("time", right=True),
        Column("cost", right=True),
        Column("verdict"),
    )
    return table(columns, (_task_cells(task) for task in tasks))


def decisions_json(decisions: Iterable[Decision]) -> str:
    """Decisions as a JSON list of their events."""
    return json.dumps([event.model_dump(mode="json") for event in decisions], indent=2, ensure_ascii=False)


def decisions_table(decisions: Sequence[Decision]) -> Table:
    """Every candidate of every decision with the terms of its score; the chosen one is marked."""
    columns = (Column("task", keep=True), Column("role"), Column("model"), Column("score", right=True), Column("terms"))
    return table(columns, (cells for event in decisions for cells in _decision_cells(event)))


def prune_words(report: PruneReport) -> str:
    """What pruning did, in a line."""
    done = "would delete" if report.dry_run else "deleted"
    if not report.runs:
        return f"{done} nothing"
    return f"{done} {count(report.runs, 'run')}: {count(report.events, 'event')}, {size(report.bytes)}"


def _task_cells(task: TaskResult) -> tuple[str, ...]:
    name = task.id if task.title == task.id else f"{task.id} {task.title}"
    verdict = one_line(error_words(task.error)) if task.error else _verdict(task.verdict)
    return (
        name,
        task.status,
        task.model or "-",
        str(task.attempts),
        seconds(task.seconds),
        money(task.cost_usd),
        verdict,
    )


def _verdict(verdict: Verdict | None) -> str:
    if verdict is None:
        return "-"
    defects = "".join(f"; {defect.part}: {defect.problem}" for defect in verdict.defects)
    return f"{'passed' if verdict.passed else 'not passed'} {verdict.score:.2f} by {verdict.by}{defects}"


def _decision_cells(event: Decision) -> Iterable[tuple[str, ...]]:
    for position, candidate in enumerate(event.candidates):
        first = position == 0
        mark = "* " if candidate.model == event.model else "  "
        yield (
            event.task_id or "-" if first else "",
            event.role if first else "",
            f"{mark}{candidate.model}",
            f"{candidate.score:.3f}",
            _terms(candidate),
        )


def _terms(candidate: Candidate) -> str:
    if candidate.excluded is not None:
        return f"excluded: {candidate.excluded}"
    return "  ".join(f"{name} {value:+.3f}" for name, value in candidate.terms.items())
