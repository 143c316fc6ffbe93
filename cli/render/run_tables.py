"""Runs, their tasks and their routing as tables."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ai3ray.domain.events import Candidate, Decision
from ai3ray.domain.listings import PruneReport, RunRow
from ai3ray.domain.result import RunResult, TaskResult
from ai3ray.domain.verdict import Verdict
from ai3ray.report.format import clipped, count, error_words, money, one_line, seconds, size

from ..streams import is_terminal, render_text
from .event_lines import stats_summary
from .final_answer import answer_text
from .text_table import TableColumn, table

if TYPE_CHECKING:
    from rich.table import Table

_HEADINGS = {"quality": "qual", "success": "succ", "latency": "lat", "sampled": "draw"}
"""Short names of terms, to fit into 80 columns."""


def rows_json(rows: Sequence[RunRow]) -> str:
    """Return the runs as a JSON list."""
    return json.dumps([row.model_dump(mode="json") for row in rows], indent=2, ensure_ascii=False)


def runs_table(rows: Sequence[RunRow], *, terminal: bool = False) -> Table:
    """Return the runs, a line each; on a terminal with short times and the prompts cut to its width."""
    columns = (
        TableColumn("run", keep=True),
        TableColumn("status"),
        TableColumn("started", keep=terminal),
        TableColumn("time", right=True),
        TableColumn("cost", right=True),
        TableColumn("prompt", clip=terminal),
    )
    return table(
        columns,
        (
            (
                row.run_id,
                row.status,
                row.started_at[5:16].replace("T", " ") if terminal else row.started_at[:19],
                seconds(row.seconds),
                money(row.cost_usd),
                clipped(one_line(row.prompt), 60),
            )
            for row in rows
        ),
        gap=1 if terminal else 2,
    )


def run_text(result: RunResult, *, width: int | None = None) -> str:
    """Return heading, warnings, tasks and answer."""
    head = [f"{result.run_id}  {result.status}", stats_summary(result.stats)]
    if result.prompt:
        head.insert(1, clipped(one_line(result.prompt), 200))
    if result.error:
        head.append(one_line(error_words(result.error)))
    head += [f"warning: {one_line(warning)}" for warning in result.warnings]
    parts = ["\n".join(head) + "\n"]
    if result.tasks:
        parts.append(render_text(tasks_table(result.tasks), width=width))
    if result.output:
        parts.append(answer_text(result.output, terminal=is_terminal(sys.stdout)))
    return "\n".join(parts)


def tasks_table(tasks: Sequence[TaskResult]) -> Table:
    """Return the tasks, a line each."""
    columns = (
        TableColumn("task", keep=True),
        TableColumn("status"),
        TableColumn("model"),
        TableColumn("tries", right=True),
        TableColumn("time", right=True),
        TableColumn("cost", right=True),
        TableColumn("verdict"),
    )
    return table(columns, (_task_cells(task) for task in tasks))


def decisions_json(decisions: Iterable[Decision]) -> str:
    """Return the decisions as a JSON list."""
    return json.dumps([event.model_dump(mode="json") for event in decisions], indent=2, ensure_ascii=False)


def decisions_text(decisions: Sequence[Decision], *, width: int | None = None) -> str:
    """Return a table of candidates per decision, with the terms of their scores."""
    return "\n".join(_decision_text(event, width) for event in decisions) or "no decisions yet\n"


def prune_summary(report: PruneReport) -> str:
    """Return what pruning did, on one line."""
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


def _decision_text(event: Decision, width: int | None) -> str:
    """Return the candidates as a table, with a line per reason for the excluded ones."""
    admitted = [candidate for candidate in event.candidates if candidate.excluded is None]
    names = list(dict.fromkeys(name for candidate in admitted for name in candidate.terms))
    columns = [TableColumn("  model", keep=True), TableColumn("score", right=True)]
    columns += [TableColumn(_HEADINGS.get(name, name), right=True) for name in names]
    rows = (_candidate_cells(candidate, event.model, names) for candidate in admitted)
    heading = one_line(f"{event.task_id or 'run'} {event.role}: {event.model}")
    return f"{heading}\n{render_text(table(columns, rows, gap=1), width=width)}{_excluded_text(event, width)}"


def _candidate_cells(candidate: Candidate, chosen: str, names: Sequence[str]) -> tuple[str, ...]:
    mark = "* " if candidate.model == chosen else "  "
    terms = (_term(name, candidate.terms.get(name)) for name in names)
    return (f"{mark}{candidate.model}", f"{candidate.score:.3f}", *terms)


def _term(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:+.3f}" if name == "sampled" else f"{value:.3f}"


def _excluded_text(event: Decision, width: int | None) -> str:
    from rich.text import Text

    reasons: dict[str, list[str]] = {}
    for candidate in event.candidates:
        if candidate.excluded is not None:
            reasons.setdefault(candidate.excluded, []).append(candidate.model)
    lines = [one_line(f"{reason}: {', '.join(models)}") for reason, models in reasons.items()]
    return render_text(Text("\n".join(f"excluded, {line}" for line in lines)), width=width) if lines else ""
