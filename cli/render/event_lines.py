"""A run's events as text, one line each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

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


class EventLines:
    """Turns a run's events into lines."""

    def __init__(self) -> None:
        self._began: str = ""
        self._titles: dict[str, str] = {}

    def line(self, event: Event) -> str | None:
        """Return time, type, task and text of an event; None for a delta."""
        if isinstance(event, TextDelta):
            return None
        self._began = self._began or event.ts
        if isinstance(event, PlanProgress):
            for task in [*(event.plan or {}).get("tasks", ()), *([event.task] if event.task else [])]:
                self._titles[str(task.get("id"))] = str(task.get("title") or task.get("id"))
        pieces = (f"{_offset(self._began, event.ts):>8}", f"{event.type:<14}", self._task(event), event_text(event))
        return "  ".join(piece for piece in pieces if piece).rstrip()

    def _task(self, event: Event) -> str:
        if event.task_id is None:
            return ""
        title = self._titles.get(event.task_id, event.task_id)
        return event.task_id if title == event.task_id else f"{event.task_id} ({clipped(one_line(title), 40)})"


def event_text(event: Event) -> str:
    """Return an event on one line, without time and task."""
    describe = _TEXTS.get(event.type)
    return one_line(describe(event)) if describe else ""


def stats_summary(stats: Stats) -> str:
    """Return a run's figures on one line."""
    cost = money(stats.cost_usd) if stats.cost_complete else f"{money(stats.cost_usd)} + calls of unknown price"
    tokens = f"{stats.input_tokens:,} + {stats.output_tokens:,} tokens"
    return ", ".join((count(stats.tasks, "task"), count(stats.calls, "call"), tokens, cost, seconds(stats.seconds)))


def _offset(began: str, now: str) -> str:
    try:
        passed = datetime.fromisoformat(now) - datetime.fromisoformat(began)
    except ValueError:  # no time stamp
        return ""
    return f"{passed.total_seconds():.2f}s"


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


_TEXTS: dict[str, Callable[[Any], str]] = {
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
"""The text of a line after the event's type."""
