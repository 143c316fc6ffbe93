"""A run as its watcher knows it: the journal's own fold, and beside it what only the screen needs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

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
from ai3ray.domain.run import TASK_TERMINAL, RunState, TaskState, apply, seconds_between
from ai3ray.errors import IllegalTransition
from ai3ray.report.format import clipped, count

if TYPE_CHECKING:
    from ai3ray.domain.result import RunResult, TaskResult

MAX_NAMES = 3
"""Ids that a note lists."""


@dataclass(frozen=True)
class TaskLine:
    """One task as the screen shows it."""

    id: str
    """Its id."""
    title: str
    """Its title."""
    depends_on: tuple[str, ...]
    """Its dependencies."""
    status: str
    """pending, running, succeeded, failed, skipped or cancelled."""
    model: str
    """The model of its latest attempt, without its provider."""
    tokens: int | None
    """Tokens of the call that made its answer."""
    cost_usd: float | None
    """What is known of its cost; None when nothing is, or its price is unknown."""
    note: str
    """Its verdict, or what it waits for, or what went wrong."""
    seconds: float | None
    """How long it has taken."""


@dataclass(frozen=True)
class LiveTotals:
    """The whole run in figures, so far."""

    tasks: int
    """Tasks in the plan."""
    ended: int
    """Tasks that have ended, however."""
    lost: int
    """Tasks that have ended without an answer."""
    cost_usd: float
    """The known cost."""
    cost_complete: bool
    """False when a price is unknown."""
    budget_usd: float | None
    """The most that it may cost, when it has a budget."""
    seconds: float
    """Since it was accepted."""


class LiveRun:
    """Takes in a run's events; tells what to show."""

    def __init__(self) -> None:
        self.state = RunState()
        """The run as the events so far tell it."""
        self.planner = ""
        """The model that plans."""
        self._spent: dict[str, TaskArtifact] = {}
        self._happens: dict[str, str] = {}
        self._stats: Stats | None = None
        self._ended_as = ""
        self._results: dict[str, TaskResult] = {}

    @property
    def status(self) -> str:
        """Where the run is; `new` before its first event."""
        return self._ended_as or self.state.status

    def event(self, event: Event) -> None:
        """One more event."""
        if isinstance(event, TextDelta):
            return
        with suppress(IllegalTransition):  # a server of another version; its run is followed all the same
            self.state = apply(self.state, event)
        task = event.task_id or ""
        match event:
            case Decision(role="plan"):
                self.planner = _bare(event.model)
            case Decision(role="judge"):
                self._happens[task] = "judging"
            case TaskStart():
                self._happens[task] = self._happens.get(task, "")
            case TaskRetry():
                self._happens[task] = f"retry: {event.error.type}"
            case TaskRepaired():
                self._happens[task] = f"repair {event.attempt}"
            case TaskArtifact():
                self._spent[task] = event
            case StatsEvent():
                self._stats = event.stats

    def ended(self, result: RunResult) -> None:
        """The run's end with the cost of every call; the events that led there need not all have come."""
        self._stats, self._ended_as = result.stats, result.status
        self._results = {task.id: task for task in result.tasks}

    def lines(self, now: str) -> list[TaskLine]:
        """The tasks in plan order; `now` is a UTC time stamp."""
        return [self._line(task, now) for task in self._tasks()]

    def totals(self, now: str) -> LiveTotals:
        """The run in figures; `now` is a UTC time stamp."""
        tasks = self._tasks()
        ended = [task for task in tasks if task.status in TASK_TERMINAL]
        costs = [artifact.cost_usd for artifact in self._spent.values()]
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
        """The tasks as they are, or as the run's end left them."""
        ends = {task_id: result.status for task_id, result in self._results.items()}
        return [
            task.model_copy(update={"status": ends[task.id]}) if task.id in ends else task
            for task in self.state.tasks.values()
        ]

    def _line(self, task: TaskState, now: str) -> TaskLine:
        artifact, result = self._spent.get(task.id), self._results.get(task.id)
        usage = artifact.usage if artifact else None
        known = result if result and result.attempts else artifact
        return TaskLine(
            id=task.id,
            title=task.title,
            depends_on=task.depends_on,
            status=task.status,
            model=_bare(task.model or ""),
            tokens=usage.input_tokens + usage.output_tokens if usage else None,
            cost_usd=known.cost_usd if known else None,
            note=self._note(task),
            seconds=result.seconds if result else seconds_between(task.started_at, task.finished_at or now),
        )

    def _note(self, task: TaskState) -> str:
        tries = f"try {task.attempts}" if task.attempts > 1 else ""
        if task.status == "succeeded":
            verdict = f"pass {task.verdict.score:.2f}" if task.verdict else ""
            return ", ".join(note for note in (verdict, tries) if note)
        if task.status == "failed":
            return task.error.type if task.error else "failed"
        if task.status == "skipped":
            return f"needs {_names(self._without_answer(task))}"
        if task.status == "running":
            return self._happens.get(task.id) or tries
        return "cancelled" if task.status == "cancelled" else self._waits(task)

    def _waits(self, task: TaskState) -> str:
        if happens := self._happens.get(task.id):
            return happens
        open_ = [dep for dep in task.depends_on if self._status_of(dep) not in TASK_TERMINAL]
        return f"after {_names(open_)}" if open_ else "waits"

    def _without_answer(self, task: TaskState) -> list[str]:
        return [dep for dep in task.depends_on if self._status_of(dep) != "succeeded"]

    def _status_of(self, task_id: str) -> str:
        found = self.state.tasks.get(task_id)
        return found.status if found else "pending"


def _names(ids: Sequence[str]) -> str:
    """A few ids in words."""
    if len(ids) > MAX_NAMES:
        return count(len(ids), "task")
    return clipped(", ".join(ids), 40)


def _bare(model: str) -> str:
    """A model's own id, without its provider."""
    return model.partition("/")[2] or model
