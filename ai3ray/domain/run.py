"""A run's state machine: two tables and `apply`, shared by live runs, resume, SSE and replay."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Literal, get_args

from pydantic import ConfigDict, Field

from ai3ray.domain.assembly import Assembly
from ai3ray.domain.call import Attempt, ErrorInfo
from ai3ray.domain.events import (
    AssembleStart,
    Cancelled,
    Decision,
    Event,
    Final,
    PlanProgress,
    PlanSource,
    Purpose,
    RunFailed,
    RunStart,
    StatsEvent,
    TaskArtifact,
    TaskFailed,
    TaskSkipped,
    TaskStart,
    TaskVerified,
    Warned,
)
from ai3ray.domain.frozen import Frozen
from ai3ray.domain.persistent_map import PersistentMap
from ai3ray.domain.plan import TaskGraph
from ai3ray.domain.tally import NO_CALLS, Tally
from ai3ray.domain.verdict import Verdict
from ai3ray.errors import IllegalTransition

RunStatus = Literal["queued", "planning", "running", "assembling", "succeeded", "partial", "failed", "cancelled"]
TaskStatus = Literal["pending", "running", "succeeded", "failed", "skipped", "cancelled"]

TERMINAL: frozenset[str] = frozenset({"succeeded", "partial", "failed", "cancelled"})
TASK_TERMINAL: frozenset[str] = frozenset({"succeeded", "failed", "skipped", "cancelled"})

# The events that a run takes in each status. `new` is the state before run_start.
_ANYTIME = frozenset({"decision", "warning"})
RUN_TABLE: dict[str, frozenset[str]] = {
    "new": frozenset({"run_start"}),
    "queued": _ANYTIME | {"plan", "error", "cancelled"},
    "planning": _ANYTIME | {"plan", "final", "error", "cancelled"},  # final: only a plan was asked for
    "running": _ANYTIME
    | {
        "task_start",
        "task_retry",
        "task_artifact",
        "task_verified",
        "task_repaired",
        "task_failed",
        "task_skipped",
        "assemble_start",
        "error",
        "cancelled",
    },
    "assembling": _ANYTIME | {"final", "error", "cancelled"},
    "succeeded": frozenset({"stats"}),
    "partial": frozenset({"stats"}),
    "failed": frozenset({"stats"}),
    "cancelled": frozenset({"stats"}),
}

# The events that a task takes in each status, and its next status.
TASK_TABLE: dict[tuple[TaskStatus, str], TaskStatus] = {
    ("pending", "task_start"): "running",
    ("pending", "task_retry"): "pending",
    ("pending", "task_failed"): "failed",
    ("pending", "task_skipped"): "skipped",
    ("running", "task_start"): "running",
    ("running", "task_retry"): "running",
    ("running", "task_verified"): "running",
    ("running", "task_repaired"): "running",
    ("running", "task_artifact"): "succeeded",
    ("running", "task_failed"): "failed",
    # A resumed run retries what failed before; committed answers stay committed.
    ("failed", "task_start"): "running",
    ("failed", "task_failed"): "failed",
    ("failed", "task_skipped"): "skipped",
    ("skipped", "task_start"): "running",
    ("skipped", "task_failed"): "failed",
    ("skipped", "task_skipped"): "skipped",
}


class TaskState(Frozen):
    """The state of one task after the events so far."""

    id: str
    title: str
    kind: str
    depends_on: tuple[str, ...]
    status: TaskStatus = "pending"
    model: str | None = None
    """The model of its latest attempt, as `provider/model`."""
    attempts: int = 0
    artifact: str | None = None
    output: str | None = None
    verdict: Verdict | None = None
    error: ErrorInfo | None = None
    started_at: str | None = None
    """Time stamp of its first attempt."""
    finished_at: str | None = None
    """Time stamp of its terminal event."""

    @property
    def provider(self) -> str | None:
        """The provider of its latest attempt."""
        return self.model.partition("/")[0] if self.model else None

    @property
    def seconds(self) -> float | None:
        """Seconds from its first attempt to its end."""
        return seconds_between(self.started_at, self.finished_at)


class RunState(Frozen):
    """The state of a run after the events so far."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    run_id: str = ""
    status: str = "new"
    """One of RunStatus, or `new` before the first event."""
    seq: int = 0
    request: dict[str, Any] = {}
    purpose: Purpose = "run"
    """`plan` when only a plan was requested."""
    graph: TaskGraph | None = None
    plan_source: PlanSource | None = None
    tasks: dict[str, TaskState] = {}
    """The tasks in plan order."""
    attempts: PersistentMap[str, Attempt] = Field(default_factory=PersistentMap)
    """Every model call by attempt id."""
    tally: Tally = NO_CALLS
    """Sums over the attempts."""
    tallies: dict[str | None, Tally] = {}
    """Sums by task; None for planner and assembler."""
    reserved: PersistentMap[str, float] = Field(default_factory=PersistentMap)
    """The most that each attempt can cost, in US dollars, where its price is known."""
    assembly: Assembly | None = None
    output: str | None = None
    error: ErrorInfo | None = None
    warnings: tuple[str, ...] = ()
    created_at: str = ""
    finished_at: str | None = None
    """Time stamp of its terminal event."""
    complete: bool = False
    """True after `stats`, the last event."""

    @property
    def terminal(self) -> bool:
        """True when the run has ended."""
        return self.status in TERMINAL


def apply(state: RunState, event: Event) -> RunState:
    """Return the state after one more event; raises as `advance` does."""
    return advance(state, (event,))


def advance(state: RunState, events: Iterable[Event], calls: Sequence[Attempt] = ()) -> RunState:
    """Return the state after these events and after these model calls began or ended.

    Calls may end after the run.

    Raises:
        IllegalTransition: the state does not take an event. The given state is unchanged.
    """
    ahead = state.model_copy()
    mine = ahead.__dict__  # a private copy: changed in place for all events
    for event in events:
        mine.update(_changes(ahead, event))
    if calls:
        mine.update(_with_calls(ahead, calls))
    return ahead


def fold(events: Iterable[Event], attempts: Iterable[Attempt] = ()) -> RunState:
    """Return the state after a whole history."""
    return advance(RunState(), events, tuple(attempts))


def seconds_between(start: str | None, end: str | None) -> float | None:
    """Return the seconds between two event time stamps; None when one is missing."""
    if not start or not end:
        return None
    return max(0.0, (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds())


Changes = dict[str, Any]


def _changes(state: RunState, event: Event) -> Changes:
    """Return what an event changes; raise IllegalTransition."""
    if event.type not in RUN_TABLE[state.status]:
        raise IllegalTransition(f"run {state.run_id or event.run_id} is {state.status} and takes no {event.type}")
    step = _STEPS.get(event.type)
    return {"seq": event.seq, **(step(state, event) if step else {})}


def _with_calls(state: RunState, calls: Iterable[Attempt]) -> Changes:
    attempts, tally, tallies = state.attempts, state.tally, dict(state.tallies)
    for call in calls:
        before = attempts.get(call.attempt_id)
        attempts = attempts.plus(call.attempt_id, call)
        tally = tally.with_call(call, before)
        tallies[call.task_id] = tallies.get(call.task_id, NO_CALLS).with_call(call, before)
    return {"attempts": attempts, "tally": tally, "tallies": tallies}


def _run_start(state: RunState, event: RunStart) -> Changes:
    return {
        "run_id": event.run_id,
        "status": "queued",
        "request": event.request,
        "purpose": event.purpose,
        "created_at": event.ts,
    }


def _plan(state: RunState, event: PlanProgress) -> Changes:
    if event.phase != "completed":
        return {"status": "planning"}
    if event.plan is None:
        raise IllegalTransition(f"run {state.run_id} cannot run a plan that is not there")
    graph = TaskGraph.model_validate(event.plan)
    tasks = {
        task.id: TaskState(id=task.id, title=task.title, kind=task.kind, depends_on=task.depends_on)
        for task in graph.tasks
    }
    return {"status": "running", "graph": graph, "plan_source": event.source, "tasks": tasks}


def _decision(state: RunState, event: Decision) -> Changes:
    if event.reserved_usd is None:
        return {}
    return {"reserved": state.reserved.plus(event.attempt_id, event.reserved_usd)}


def _task(state: RunState, event: Event) -> Changes:
    task = state.tasks.get(event.task_id or "")
    if task is None:
        raise IllegalTransition(f"run {state.run_id} has no task {event.task_id!r}")
    status = TASK_TABLE.get((task.status, event.type))
    if status is None:
        raise IllegalTransition(f"task {task.id!r} of {state.run_id} is {task.status} and takes no {event.type}")
    changes: Changes = {"status": status}
    match event:
        case TaskStart():
            changes |= {
                "model": event.model,
                "attempts": task.attempts + 1,
                "started_at": task.started_at or event.ts,
                "finished_at": None,
                "error": None,
            }
        case TaskVerified():
            changes["verdict"] = event.verdict
        case TaskArtifact():
            changes |= {"artifact": event.artifact, "output": event.text, "model": event.model}
        case TaskFailed():
            changes["error"] = event.error
        case TaskSkipped():
            changes["error"] = ErrorInfo(type="skipped", message=f"task {event.because!r} has no answer")
    if status in TASK_TERMINAL:
        changes["finished_at"] = event.ts
    return {"tasks": {**state.tasks, task.id: task.model_copy(update=changes)}}


def _assemble_start(state: RunState, event: AssembleStart) -> Changes:
    return {"status": "assembling", "assembly": event.assembly}


def _final(state: RunState, event: Final) -> Changes:
    return {"status": event.status, "output": event.output, **_ended(state, event.ts)}


def _error(state: RunState, event: RunFailed) -> Changes:
    return {"status": "failed", "error": event.error, "output": event.output, **_ended(state, event.ts)}


def _cancelled(state: RunState, event: Cancelled) -> Changes:
    why = {"error": _deadline_error(state)} if event.by == "deadline" else {}
    return {"status": "cancelled", **why, **_ended(state, event.ts)}


def _deadline_error(state: RunState) -> ErrorInfo:
    """Return the error of a deadline; a user who cancelled needs none."""
    return ErrorInfo(type="deadline", message=f"the deadline of {state.request.get('deadline_s')} s ran out")


def _ended(state: RunState, ts: str) -> Changes:
    """Return the end of the run, which cancels tasks that are still open."""
    closed = {"status": "cancelled", "finished_at": ts}
    tasks = {
        task_id: task if task.status in TASK_TERMINAL else task.model_copy(update=closed)
        for task_id, task in state.tasks.items()
    }
    return {"tasks": tasks, "finished_at": ts}


def _stats(state: RunState, event: StatsEvent) -> Changes:
    if state.complete:
        raise IllegalTransition(f"run {state.run_id} has its stats already")
    return {"complete": True}


def _warning(state: RunState, event: Warned) -> Changes:
    return {"warnings": (*state.warnings, event.message)}


_STEPS: dict[str, Callable[[RunState, Any], Changes]] = {
    "run_start": _run_start,
    "plan": _plan,
    "decision": _decision,
    "assemble_start": _assemble_start,
    "final": _final,
    "error": _error,
    "cancelled": _cancelled,
    "stats": _stats,
    "warning": _warning,
    **{event_type: _task for _, event_type in TASK_TABLE},
}

assert set(get_args(RunStatus)) == RUN_TABLE.keys() - {"new"}
