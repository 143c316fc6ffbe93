"""The page's sections of texts and tables."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from ai3ray.domain.result import known_cost, task_cost
from ai3ray.report.format import count, error_words, money, seconds
from ai3ray.report.graph import STATUS_MARKS, anchor
from ai3ray.report.markup import Markup, joined, tag

if TYPE_CHECKING:
    from ai3ray.domain.call import Attempt
    from ai3ray.domain.events import Candidate, Decision
    from ai3ray.domain.result import RunResult, TaskResult
    from ai3ray.domain.verdict import Verdict
    from ai3ray.report.run_history import RunHistory

Cell = str | Markup
_LONG_PROMPT = 300
_BAR_W = 120.0
_OTHERS = 3


def head(history: RunHistory) -> Markup:
    """Return the prompt, the status and the statistics."""
    result = history.result
    prompt = result.prompt.strip() or "(no prompt: a given plan)"
    short = len(prompt) <= _LONG_PROMPT
    return tag(
        "header",
        tag(
            "p",
            tag("span", result.status, class_=f"pill {result.status}"),
            f" {result.run_id} · {history.started_at}",
            class_="note",
        ),
        tag("h1", prompt) if short else tag("h1", f"{prompt[:_LONG_PROMPT].rstrip()} …"),
        figures(result),
        *(tag("p", error_words(result.error), class_="alert") for _ in range(1) if result.error),
        *(tag("p", warning, class_="alert") for warning in result.warnings),
    )


def figures(result: RunResult) -> Markup:
    """Return the statistics, one tile each."""
    stats = result.stats
    cost = money(stats.cost_usd) + ("" if stats.cost_complete else " + unknown")
    tiles = {
        "cost": cost,
        "judging cost": money(stats.judge_cost_usd),
        "time": seconds(stats.seconds),
        "critical path": seconds(stats.critical_path_seconds),
        "tasks": f"{stats.tasks:,}",
        "calls": f"{stats.calls:,}",
        "tokens in": f"{stats.input_tokens:,}",
        "tokens out": f"{stats.output_tokens:,}",
    }
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in tiles.items()))


def tasks_table(tasks: Sequence[TaskResult]) -> Markup:
    """Return a table with one row per task, linked to its text."""
    rows = (
        (
            tag("a", task.title, href=f"#{anchor(task.id)}"),
            _status(task.status),
            task.kind,
            task.model or "",
            f"{task.attempts}",
            seconds(task.seconds),
            money(task.cost_usd) if task.attempts else "-",
            error_words(task.error) if task.error else _verdict(task.verdict),
        )
        for task in tasks
    )
    return table(("task", "status", "kind", "model", "#attempts", "#time", "#cost", "verdict or error"), rows)


def costs(attempts: Sequence[Attempt]) -> Markup:
    """Return the calls summed by model and by role."""
    whole = known_cost(attempts)
    return joined(
        _sums_table("model", attempts, lambda call: call.model, whole),
        _sums_table("role", attempts, lambda call: call.role, whole),
    )


def decisions_table(decisions: Iterable[Decision]) -> Markup:
    """Return a table with the reasons of each routing decision."""
    return table(
        ("task", "role", "model", "#score", "score terms", "other candidates"),
        (_decision(event) for event in decisions),
    )


def answer(result: RunResult) -> Markup:
    """Return the whole answer."""
    if not result.output:
        return tag("p", "There is no answer.", class_="note")
    return _text_block(result.output)


def texts(history: RunHistory) -> Markup:
    """Return each task's prompt and answer."""
    prompts = {str(task.get("id")): str(task.get("prompt") or "") for task in history.plan.get("tasks", ())}
    return joined(*(_task_text(task, prompts.get(task.id, "")) for task in history.result.tasks))


def table(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Markup:
    """Return a table; columns with names that begin with # hold numbers."""
    numeric = [column.startswith("#") for column in columns]
    kinds = ["number" if right else None for right in numeric]
    names = [tag("th", column.removeprefix("#"), class_=kind) for column, kind in zip(columns, kinds, strict=True)]
    lines = [tag("tr", *(tag("td", cell, class_=kind) for cell, kind in zip(row, kinds, strict=True))) for row in rows]
    if not lines:
        return tag("p", "None.", class_="note")
    return tag("div", tag("table", tag("thead", tag("tr", *names)), tag("tbody", *lines)), class_="wide")


def _status(status: str) -> Markup:
    return tag("span", f"{STATUS_MARKS.get(status, '?')} {status}", class_=f"sign {status}")


def _verdict(verdict: Verdict | None) -> str:
    if verdict is None:
        return ""
    defects = "".join(f"; {defect.part}: {defect.problem}" for defect in verdict.defects)
    return f"{'passed' if verdict.passed else 'not passed'} {verdict.score:.2f} by {verdict.by}{defects}"


def _sums_table(name: str, calls: Sequence[Attempt], key: Callable[[Attempt], str], whole: float) -> Markup:
    groups: dict[str, list[Attempt]] = defaultdict(list)
    for call in calls:
        groups[key(call)].append(call)
    order = sorted(groups.items(), key=lambda group: -known_cost(group[1]))
    return table(
        (name, "#calls", "#tokens in", "#tokens out", "#cost", ""), (_sums_row(*group, whole) for group in order)
    )


def _sums_row(name: str, calls: Sequence[Attempt], whole: float) -> tuple[Cell, ...]:
    cost = known_cost(calls)
    part = cost / whole if whole else 0.0
    bar = tag("rect", width=_BAR_W * part, height=8, rx=2, class_="share")
    shown = money(cost) if task_cost(calls) is not None else f"{money(cost)} + unknown"
    return (
        name,
        f"{len(calls):,}",
        f"{sum(call.input_tokens for call in calls):,}",
        f"{sum(call.output_tokens for call in calls):,}",
        shown,
        tag("svg", bar, width=_BAR_W, height=8, role="img", aria_label=f"{part:.0%}"),
    )


def _decision(event: Decision) -> tuple[Cell, ...]:
    chosen = next((candidate for candidate in event.candidates if candidate.model == event.model), None)
    return (
        event.task_id or "",
        event.role,
        event.model,
        f"{chosen.score:.3f}" if chosen else "",
        ", ".join(f"{name} {value:+.3f}" for name, value in chosen.terms.items()) if chosen else "",
        _others([candidate for candidate in event.candidates if candidate.model != event.model]),
    )


def _others(candidates: Sequence[Candidate]) -> str:
    """Return the next best candidates, the number of further ones, and why the others were excluded."""
    admitted = [candidate for candidate in candidates if candidate.excluded is None]
    named = [f"{candidate.model} {candidate.score:.3f}" for candidate in admitted[:_OTHERS]]
    more = [f"{len(admitted) - _OTHERS} more"] if len(admitted) > _OTHERS else []
    reasons = Counter(candidate.excluded for candidate in candidates if candidate.excluded is not None)
    return "; ".join([*named, *more, *(f"{number} excluded: {reason}" for reason, number in reasons.items())])


def _task_text(task: TaskResult, prompt: str) -> Markup:
    needs = f", after {', '.join(task.depends_on)}" if task.depends_on else ""
    return tag(
        "section",
        tag("h3", _status(task.status), " ", task.title),
        tag("p", f"{task.id}, {task.kind}{needs}, {count(task.attempts, 'attempt')}", class_="note"),
        tag("blockquote", prompt) if prompt else None,
        _text_block(task.output) if task.output else tag("p", "No answer.", class_="note"),
        id=anchor(task.id),
    )


def _text_block(text: str) -> Markup:
    return tag("div", text.strip("\n"), class_="words", dir="auto")
