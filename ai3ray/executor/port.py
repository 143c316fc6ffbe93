"""Ports: app ─Engine→ Core ─RunnerPool→ runners ─CorePort→ Core."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from ai3ray.domain.access import CallerLimits
from ai3ray.domain.assembly import Assembly
from ai3ray.domain.call import Attempt, ErrorInfo
from ai3ray.domain.events import AnyEvent, Stats, TextDelta, Warned
from ai3ray.domain.frozen import Frozen
from ai3ray.domain.lease import Lease, LeaseRequest, Refusal, Settlement
from ai3ray.domain.listings import Accepted, ModelView, PlanPreview, PruneReport, RunRow, Table
from ai3ray.domain.plan import Task, TaskGraph
from ai3ray.domain.request import RunRequest
from ai3ray.domain.result import RunResult


class TaskJob(Frozen):
    """A task's input, except its dependencies' outcomes."""

    run_id: str
    epoch: int
    """Rises with each owner; earlier epochs' entries are refused."""
    task: Task
    titles: dict[str, str]
    """By task id."""
    fence: str
    """A random tag around data in the run's prompts."""
    shares: bool
    """True if other tasks read the same context."""
    request: RunRequest
    """With defaults, and only this task's context."""


class PlanJob(Frozen):
    """The input of planning."""

    run_id: str
    epoch: int
    request: RunRequest


class Outcome(Frozen):
    """A task's end, as a value: tasks do not raise."""

    task_id: str
    status: Literal["succeeded", "failed", "skipped", "cancelled"]
    text: str = ""
    error: ErrorInfo | None = None


class Planned(Frozen):
    """A graph or an error."""

    graph: TaskGraph | None = None
    source: Literal["model", "template", "fallback"] = "model"
    warnings: tuple[Warned, ...] = ()
    error: ErrorInfo | None = None


class AssembleJob(Frozen):
    """An assembly by a model."""

    run_id: str
    epoch: int
    assembly: Assembly
    graph: TaskGraph
    request: RunRequest
    outputs: dict[str, str]
    """By task id."""
    holes: dict[str, str]
    """Reasons for missing outputs, by task id."""


class Assembled(Frozen):
    """A text or an error."""

    text: str = ""
    error: ErrorInfo | None = None


class Entries(Frozen):
    """One run's journal entries, written together or not at all."""

    run_id: str
    epoch: int
    key: str
    """Accepted once, so that sending again is safe."""
    events: tuple[AnyEvent, ...] = ()
    attempts: tuple[Attempt, ...] = ()


@dataclass(frozen=True, slots=True)
class Sync:
    """A runner's messages since its last sync."""

    runner_id: str
    settlements: tuple[Settlement, ...] = ()
    """First, since their permits serve the requests below."""
    entries: tuple[Entries, ...] = ()
    leases: tuple[LeaseRequest, ...] = ()
    withdrawn: tuple[str, ...] = ()
    """Ids of lease requests."""
    deltas: tuple[TextDelta, ...] = ()


@dataclass(frozen=True, slots=True)
class Granted:
    """Answers to lease requests."""

    grants: tuple[Lease | Refusal, ...] = ()
    watched: tuple[str, ...] = ()
    """Runs with a reader of deltas; comes with grants, so that no first piece is missed."""


@dataclass(frozen=True, slots=True)
class Synced(Granted):
    """The core's answer to a Sync."""

    refused: Mapping[str, ErrorInfo] = field(default_factory=dict)
    """By key of the entries."""


class CorePort(Protocol):
    """The core, for a runner."""

    async def sync(self, sync: Sync) -> Synced:
        """Send messages; return once the entries are journaled."""
        ...

    async def grants(self, runner_id: str) -> Granted:
        """Wait for answers to lease requests; may return none."""
        ...


class Ref(Protocol):
    """A future result; awaiting raises RunnerLost if the runner's process died."""

    def __await__(self) -> Generator[Any, Any, Any]: ...

    def cancel(self) -> object:
        """Cancel without waiting: the socket closes, the lease is returned."""
        ...


class RunnerPool(Protocol):
    """The runners, for a conductor."""

    def start_task(self, job: TaskJob, deps: Sequence[Ref | Outcome]) -> Ref:
        """Start a task, for an Outcome, after `deps` (as in `task.depends_on`)."""
        ...

    def start_plan(self, job: PlanJob) -> Ref:
        """Start planning, for a Planned."""
        ...

    def start_assembly(self, job: AssembleJob) -> Ref:
        """Start an assembly, for an Assembled."""
        ...

    def stop_run(self, run_id: str) -> None:
        """Stop the run's work, now and later, without waiting."""
        ...


class ConductorHost(Protocol):
    """The core, for a conductor."""

    def slot(self) -> AbstractAsyncContextManager[object]:
        """Return an active run's slot; entering waits until one is free."""
        ...

    def runner_lost(self, run_id: str, task_id: str | None) -> None:
        """Settle a dead runner's calls for a task; None means plan and assembly."""
        ...

    def stop_run(self, run_id: str) -> None:
        """Stop the run's calls, now and later, without waiting."""
        ...


class FeedItem(Frozen):
    """One event for a reader."""

    type: str
    seq: int | None
    """None for a delta."""
    data: str
    """One line of JSON."""


class Feed(Frozen):
    """The next events of a run."""

    items: tuple[FeedItem, ...]
    """Committed events, with deltas in between."""
    cursor: int
    """Number of the last delta."""
    done: bool
    """True if the last event, `stats`, was read."""


class RunControl(Protocol):
    """Starts, cancels and resumes runs."""

    async def submit(
        self, request: RunRequest, *, owner: str = "", key: str | None = None, watch: bool = False
    ) -> Accepted:
        """Journal the run, then start it; the same key and body return the same run.

        `owner` is the API key's name, empty on a laptop; `key` the Idempotency-Key. `watch` keeps deltas from the
        start, for a caller that will follow the run.

        Raises:
            UsageError: a plan, model or provider is wrong; nothing was journaled.
            KeyReused: the key was used with another body.
        """
        ...

    async def plan(self, request: RunRequest, *, owner: str = "") -> PlanPreview:
        """Plan without running a task; a planner's call is journaled as a run."""
        ...

    async def cancel(self, run_id: str, by: str = "user") -> RunResult:
        """Cancel an unended run and wait for its end. Raises UnknownRun."""
        ...

    async def resume(self, run_id: str) -> RunResult:
        """Continue an unended run; return its state. Raises UnknownRun."""
        ...


class RunRecords(Protocol):
    """Reads runs."""

    async def feed(self, run_id: str, after: int = 0, cursor: int = 0, *, deltas: bool = False) -> Feed:
        """Wait for events past `after` or, with `deltas`, deltas past `cursor`. Raises UnknownRun."""
        ...

    async def result(self, run_id: str) -> RunResult:
        """Return the run's state. Raises UnknownRun."""
        ...

    async def owner_of(self, run_id: str) -> str:
        """Return the API key's name; empty on a laptop. Raises UnknownRun."""
        ...

    async def runs(self, limit: int = 50, before: str | None = None, *, owner: str | None = None) -> Sequence[RunRow]:
        """Return runs, newest first, from the one after `before`; of all owners if None."""
        ...


class Reports(Protocol):
    """Reports over all runs and models."""

    async def models(self) -> Sequence[ModelView]:
        """Return the registry with live telemetry."""
        ...

    async def query(
        self, sql: str, *, max_rows: int = 10_000, isolated: bool = False, owner: str | None = None
    ) -> Table:
        """Run one read-only SELECT over the journal.

        The answer is cut at `max_rows`. For untrusted callers, `isolated` means a process with hard limits, a recent
        copy of the journal, and an answer with `as_of`; an `owner`, for this owner's runs only, implies it.

        Raises:
            RequestError: not a single SELECT, invalid SQL, or over a limit.
            Throttled: too many isolated queries are running.
        """
        ...

    async def stats(self, *, owner: str | None = None) -> Stats:
        """Return totals over the owner's runs, or all if None."""
        ...


class CallerQuotas(Protocol):
    """The limits of API keys."""

    async def admit_caller(self, owner: str, limits: CallerLimits, *, spends: bool) -> None:
        """Count one request; `spends` if it may call models. Raises Throttled."""
        ...

    async def spent_today(self, owner: str) -> float:
        """Return the owner's US dollars spent since 00:00 UTC, without calls in flight.

        A call with an unknown bill counts at its highest possible cost.
        """
        ...


class Maintenance(Protocol):
    """Maintains the home."""

    async def prune(self, older_than_s: float, *, dry_run: bool = False) -> PruneReport:
        """Delete, or only count, runs that ended over `older_than_s` ago."""
        ...

    async def active(self) -> int:
        """Count unended runs."""
        ...


class Engine(RunControl, RunRecords, Reports, CallerQuotas, Maintenance, Protocol):
    """All of ai3ray; methods raise Ai3Error only."""
