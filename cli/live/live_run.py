"""The state of a watched run, with details for the screen only."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from ai3ray.domain.events import (
    Decision,
    Event,
    Stats,
    StatsEvent,
    TaskArtifact,
    TaskRepaired,
    TaskRetry,
    TaskStart,
    TextDelta,
)
from ai3ray.domain.result import RunResult, TaskResult
from ai3ray.domain.run import TASK_TERMINAL, RunState, TaskState, apply, seconds_between
from ai3ray.errors import IllegalTransition
from ai3ray.report.format import clipped, count

MAX_NAMES = 3
"""Ids listed in a note; more are counted."""


@dataclass(frozen=True)
class TaskLine:
    """One task as the screen shows it."""

    id: str
    title: str
    depends_on: tuple[str, ...]
    status: str
    """As in the run's JSON."""
    model: str
    """Of the latest attempt, without the provider."""
    tokens: int | None
    """Of the call that gave the answer."""
    cost_usd: float | None
    """None when unknown."""
    note: str
    """Verdict, error, or what it waits for."""
    seconds: float | None
    """From start to end, or to now."""


@dataclass(frozen=True)
class LiveTotals:
    """A run's figures so far."""

    tasks: int
    ended: int
    """In a final status."""
    lost: int
    """Ended without an answer."""
    cost_usd: float
    cost_complete: bool
    """False when a price is unknown."""
    budget_usd: float | None
    seconds: float
    """Since the run was accepted."""


class LiveRun:
    """Applies events and returns what to show."""

    def __init__(self) -> None:
        self.state = RunState()
        """The journal's fold of the events so far."""
        self.planner = ""
        self._artifacts: dict[str, TaskArtifact] = {}
        self._activity: dict[str, str] = {}
        self._stats: Stats | None = None
        self._final_status = ""
        self._results: dict[str, TaskResult] = {}

    @property
    def status(self) -> str:
        """The status; `new` before the first event."""
        return self._final_status or self.state.status

    def event(self, event: Event) -> None:
        """Apply an event."""
        if isinstance(event, TextDelta):
            return
        with suppress(IllegalTransition):  # a server of another version; its run is followed nevertheless
            self.state = apply(self.state, event)
        task = event.task_id or ""
        match event:
            case Decision(role="plan"):
                self.planner = _model_id(event.model)
            case Decision(role="judge"):
                self._activity[task] = "judging"
            case TaskStart():
                self._activity[task] = self._activity.get(task, "")
            case TaskRetry():
                self._activity[task] = f"retry: {event.error.type}"
            case TaskRepaired():
                self._activity[task] = f"repair {event.attempt}"
            case TaskArtifact():
                self._artifacts[task] = event
            case StatsEvent():
                self._stats = event.stats

    def ended(self, result: RunResult) -> None:
        """Apply the finished run, complete even if events were missed."""
        self._stats, self._final_status = result.stats, result.status
        self._results = {task.id: task for task in result.tasks}

    def lines(self, now: str) -> list[TaskLine]:
        """Return the tasks in plan order at `now`, a UTC time stamp."""
        return [self._line(task, now) for task in self._tasks()]

    def totals(self, now: str) -> LiveTotals:
        """Return the figures at `now`, a UTC time stamp."""
        tasks = self._tasks()
        ended = [task for task in tasks if task.status in TASK_TERMINAL]
        costs = [artifact.cost_usd for artifact in self._artifacts.values()]
        known = self._stats
        so_far = seconds_between(self.state.created_at, self.state.finished_at or now) or 0.0
        return LiveTotals(
            tasks=len(tasks),
            ended=len(ended),
            lost=sum(task.status != "succeeded" for task in ended),
            cost_usd=known.cost_usd if known else sum(cost or 0.0 for cost in costs),
            cost_complete=known.cost_complete if known else None not in costs,
            budget_usd=self.state.request.get("budget_usd"),
            seconds=known.seconds if known else so_far,
        )

    def _tasks(self) -> list[TaskState]:
        """Return the tasks, with their final status if known."""
        ends = {task_id: result.status for task_id, result in self._results.items()}
        return [
            task.model_copy(update={"status": ends[task.id]}) if task.id in ends else task
            for task in self.state.tasks.values()
        ]

    def _line(self, task: TaskState, now: str) -> TaskLine:
        artifact, result = self._artifacts.get(task.id), self._results.get(task.id)
        usage = artifact.usage if artifact else None
        known = result if result and result.attempts else artifact
        return TaskLine(
            id=task.id,
            title=task.title,
            depends_on=task.depends_on,
            status=task.status,
            model=_model_id(task.model or ""),
            tokens=usage.input_tokens + usage.output_tokens if usage else None,
            cost_usd=known.cost_usd if known else None,
            note=self._note(task),
            seconds=result.seconds if result else seconds_between(task.started_at, task.finished_at or now),
        )

    def _note(self, task: TaskState) -> str:
        attempt = f"try {task.attempts}" if task.attempts > 1 else ""
        if task.status == "succeeded":
            verdict = f"pass {task.verdict.score:.2f}" if task.verdict else ""
            return ", ".join(note for note in (verdict, attempt) if note)
        if task.status == "failed":
            return task.error.type if task.error else "failed"
        if task.status == "skipped":
            return f"needs {_names([dep for dep in task.depends_on if self._status_of(dep) != 'succeeded'])}"
        if task.status == "running":
            return self._activity.get(task.id) or attempt
        return "cancelled" if task.status == "cancelled" else self._pending_note(task)

    def _pending_note(self, task: TaskState) -> str:
        if activity := self._activity.get(task.id):
            return activity
        open_ = [dep for dep in task.depends_on if self._status_of(dep) not in TASK_TERMINAL]
        return f"after {_names(open_)}" if open_ else "waits"

    def _status_of(self, task_id: str) -> str:
        found = self.state.tasks.get(task_id)
        return found.status if found else "pending"


def _names(ids: Sequence[str]) -> str:
    if len(ids) > MAX_NAMES:
        return count(len(ids), "task")
    return clipped(", ".join(ids), 40)


def _model_id(model: str) -> str:
    return model.partition("/")[2] or model
