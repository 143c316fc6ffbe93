"""A run's events in words, one line each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ai3ray.domain.events import (
    AssembleStart,
    Decision,
    Event,
    PlanProgress,
    RunStart,
    Stats,
    TaskArtifact,
    TaskRetry,
    TaskVerified,
    TextDelta,
)
from ai3ray.domain.verdict import Defect
from ai3ray.report.format import clipped, count, error_words, money, one_line, seconds

if TYPE_CHECKING:
    from rich.text import Text

STYLES = {
    "final": "bold green",
    "error": "bold red",
    "cancelled": "bold red",
    "task_failed": "red",
    "task_skipped": "red",
    "task_retry": "yellow",
    "task_repaired": "yellow",
    "warning": "yellow",
    "task_artifact": "green",
    "decision": "dim",
    "stats": "dim",
}


@dataclass(frozen=True)
class EventLine:
    """One event in words."""

    plain: str
    """The words."""
    style: str
    """How Rich paints them."""

    def styled(self) -> Text:
        """The words for a terminal."""
        from rich.text import Text

        return Text(self.plain, style=self.style)


class EventLines:
    """Turns a run's events into lines; remembers when it began and what its tasks are called."""

    def __init__(self) -> None:
        self._began: str = ""
        self._titles: dict[str, str] = {}

    def line(self, event: Event) -> EventLine | None:
        """The line of one event; None for a delta, which is no line of its own."""
        if isinstance(event, TextDelta):
            return None
        self._began = self._began or event.ts
        self._titles.update(_titles(event))
        pieces = (f"{_offset(self._began, event.ts):>8}", f"{event.type:<14}", self._task(event), event_text(event))
        return EventLine("  ".join(piece for piece in pieces if piece).rstrip(), STYLES.get(event.type, ""))

    def _task(self, event: Event) -> str:
        if event.task_id is None:
            return ""
        title = self._titles.get(event.task_id, event.task_id)
        return event.task_id if title == event.task_id else f"{event.task_id} ({clipped(one_line(title), 40)})"


def event_text(event: Event) -> str:
    """What an event says, on one line, without time and task."""
    tell = _WORDS.get(event.type)
    return one_line(tell(event)) if tell else ""


def stats_summary(stats: Stats) -> str:
    """A run in figures."""
    cost = money(stats.cost_usd) if stats.cost_complete else f"{money(stats.cost_usd)} + calls of unknown price"
    tokens = f"{stats.input_tokens:,} + {stats.output_tokens:,} tokens"
    return ", ".join((count(stats.tasks, "task"), count(stats.calls, "call"), tokens, cost, seconds(stats.seconds)))


def _offset(began: str, now: str) -> str:
    try:
        passed = datetime.fromisoformat(now) - datetime.fromisoformat(began)
    except ValueError:  # no time stamp
        return ""
    return f"{passed.total_seconds():.2f}s"


def _titles(event: Event) -> dict[str, str]:
    if not isinstance(event, PlanProgress):
        return {}
    tasks = [*(event.plan or {}).get("tasks", ()), *([event.task] if event.task else [])]
    return {str(task.get("id")): str(task.get("title") or task.get("id")) for task in tasks}


def _run_start(event: RunStart) -> str:
    prompt = one_line(str(event.request.get("prompt") or ""))
    return f"{event.run_id} {clipped(prompt, 60)}"


def _plan(event: PlanProgress) -> str:
    if event.phase == "completed":
        plan = event.plan or {}
        return f"{count(len(plan.get('tasks', ())), 'task')} from {event.source}, assembly {plan.get('assembly')}"
    return f"task {event.task.get('id')}" if event.task else "asking for a plan"


def _decision(event: Decision) -> str:
    others = [c for c in event.candidates if c.excluded is None and c.model != event.model]
    chosen = next((c for c in event.candidates if c.model == event.model), None)
    score = f" ({chosen.score:.2f})" if chosen else ""
    next_best = f", before {others[0].model} ({others[0].score:.2f})" if others else ""
    excluded = sum(c.excluded is not None for c in event.candidates)
    return f"{event.role}: {event.model}{score}{next_best}{f', {excluded} excluded' if excluded else ''}"


def _retry(event: TaskRetry) -> str:
    after = f" after {seconds(event.wait_s)}" if event.wait_s else ""
    return f"{error_words(event.error)}; again{after}{f' on {event.next_model}' if event.next_model else ''}"


def _artifact(event: TaskArtifact) -> str:
    tokens = f"{event.usage.input_tokens:,} + {event.usage.output_tokens:,} tokens"
    return f"{event.model}, {tokens}, {money(event.cost_usd)}"


def _verified(event: TaskVerified) -> str:
    verdict = event.verdict
    if verdict is None:
        return "not verified"
    outcome = "passed" if verdict.passed else "did not pass"
    return f"{outcome}, score {verdict.score:.2f} by {verdict.by}{_defects(verdict.defects)}"


def _defects(defects: Sequence[Defect]) -> str:
    return "".join(f"; {defect.part}: {defect.problem}" for defect in defects)


def _assemble(event: AssembleStart) -> str:
    holes = ", ".join(event.holes)
    return f"{event.assembly}{f', without {holes}' if holes else ''}"


# One entry per event type: the event's own name is printed before it.
_WORDS: dict[str, Callable[[Any], str]] = {
    "run_start": _run_start,
    "plan": _plan,
    "decision": _decision,
    "task_start": lambda event: event.model,
    "task_retry": _retry,
    "task_artifact": _artifact,
    "task_verified": _verified,
    "task_repaired": lambda event: f"repair {event.attempt}{_defects(event.defects)}",
    "task_failed": lambda event: error_words(event.error),
    "task_skipped": lambda event: f"{event.because} has no answer",
    "assemble_start": _assemble,
    "final": lambda event: f"{event.status}, {count(len(event.output), 'character')}",
    "error": lambda event: error_words(event.error),
    "cancelled": lambda event: f"by {event.by}",
    "stats": lambda event: stats_summary(event.stats),
    "warning": lambda event: f"{event.message} [{event.code}]",
}
