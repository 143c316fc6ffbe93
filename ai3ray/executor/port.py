"""The engine's ports: app ─Engine→ Core ─RunnerPool→ runners ─CorePort→ Core."""

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
    """The input of one task, except the outcomes of its dependencies."""

    run_id: str
    epoch: int
    """Rises with each owner of the run; entries of an earlier epoch are refused."""
    task: Task
    titles: dict[str, str]
    """By task id."""
    fence: str
    """A random tag around data in all prompts of the run."""
    shares: bool
    """True if other tasks of the run read the same context."""
    request: RunRequest
    """With its defaults, and only the context that this task reads."""


class PlanJob(Frozen):
    """The input of planning."""

    run_id: str
    epoch: int
    request: RunRequest


class Outcome(Frozen):
    """The end of a task: a value, since tasks do not raise."""

    task_id: str
    status: Literal["succeeded", "failed", "skipped", "cancelled"]
    text: str = ""
    error: ErrorInfo | None = None


class Planned(Frozen):
    """The result of planning: a graph or an error."""

    graph: TaskGraph | None = None
    source: Literal["model", "template", "fallback"] = "model"
    warnings: tuple[Warned, ...] = ()
    error: ErrorInfo | None = None


class AssembleJob(Frozen):
    """The input of an assembly that calls a model."""

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
    """The result of an assembly: a text or an error."""

    text: str = ""
    error: ErrorInfo | None = None


class Entries(Frozen):
    """Journal entries of one run, written together or not at all."""

    run_id: str
    epoch: int
    key: str
    """Makes sending again safe: the journal accepts each key once."""
    events: tuple[AnyEvent, ...] = ()
    attempts: tuple[Attempt, ...] = ()


@dataclass(frozen=True, slots=True)
class Sync:
    """A runner's messages since its last sync."""

    runner_id: str
    settlements: tuple[Settlement, ...] = ()
    """Handled first: their permits serve the requests below."""
    entries: tuple[Entries, ...] = ()
    leases: tuple[LeaseRequest, ...] = ()
    withdrawn: tuple[str, ...] = ()
    """Ids of lease requests."""
    deltas: tuple[TextDelta, ...] = ()


@dataclass(frozen=True, slots=True)
class Granted:
    """Answers to a runner's lease requests."""

    grants: tuple[Lease | Refusal, ...] = ()
    watched: tuple[str, ...] = ()
    """Runs with a reader of deltas; sent with grants, so that no first piece is missed."""


@dataclass(frozen=True, slots=True)
class Synced(Granted):
    """The core's answer to a Sync."""

    refused: Mapping[str, ErrorInfo] = field(default_factory=dict)
    """Errors of refused entries, by key."""


class CorePort(Protocol):
    """The core, as a runner sees it."""

    async def sync(self, sync: Sync) -> Synced:
        """Send a runner's messages; return once its entries are in the journal."""
        ...

    async def grants(self, runner_id: str) -> Granted:
        """Wait for answers to this runner's open requests; may return none."""
        ...


class Ref(Protocol):
    """A future result of a runner."""

    def __await__(self) -> Generator[Any, Any, Any]:
        """Return the value. Raises RunnerLost if the runner's process died."""
        ...

    def cancel(self) -> object:
        """Cancel the work, without waiting: its socket closes, its lease is returned."""
        ...


class RunnerPool(Protocol):
    """The runners, as the conductor sees them."""

    def start_task(self, job: TaskJob, deps: Sequence[Ref | Outcome]) -> Ref:
        """Start a task, for an Outcome, once `deps` (in the order of `task.depends_on`) are there."""
        ...

    def start_plan(self, job: PlanJob) -> Ref:
        """Start planning, for a Planned."""
        ...

    def start_assembly(self, job: AssembleJob) -> Ref:
        """Start an assembly, for an Assembled."""
        ...

    def stop_run(self, run_id: str) -> None:
        """Stop all work on a run, and start no more; do not wait."""
        ...


class ConductorHost(Protocol):
    """The core, as a conductor sees it."""

    def slot(self) -> AbstractAsyncContextManager[object]:
        """Return a slot for an active run; entering it waits until one is free."""
        ...

    def runner_lost(self, run_id: str, task_id: str | None) -> None:
        """Settle a dead runner's calls for this task, or for plan and assembly if None."""
        ...

    def stop_run(self, run_id: str) -> None:
        """Stop the run's calls, now and later; do not wait."""
        ...


class FeedItem(Frozen):
    """One event as a reader gets it."""

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
    """True if the run's last event, `stats`, has been read."""


class RunControl(Protocol):
    """Starts, cancels and resumes runs."""

    async def submit(
        self, request: RunRequest, *, owner: str = "", key: str | None = None, watch: bool = False
    ) -> Accepted:
        """Make the run durable, then start it; the same key and body return the same run.

        Args:
            request: the run's request.
            owner: name of the caller's API key; empty on a laptop.
            key: the Idempotency-Key.
            watch: keep deltas from the start, for a caller that will follow the run.

        Raises:
            UsageError: a plan, model or provider is wrong; nothing was journaled.
            KeyReused: the key was used with another body.
        """
        ...

    async def plan(self, request: RunRequest, *, owner: str = "") -> PlanPreview:
        """Plan without running a task; a planner's call is a run of its own in the journal."""
        ...

    async def cancel(self, run_id: str, by: str = "user") -> RunResult:
        """Cancel the run, unless it has ended, and wait for its end. Raises UnknownRun."""
        ...

    async def resume(self, run_id: str) -> RunResult:
        """Continue the run unless it has ended; return its current state. Raises UnknownRun."""
        ...


class RunRecords(Protocol):
    """Reads runs."""

    async def feed(self, run_id: str, after: int = 0, cursor: int = 0, *, deltas: bool = False) -> Feed:
        """Wait for the next events of a run.

        Args:
            run_id: the run.
            after: number of the reader's last event.
            cursor: number of the reader's last delta.
            deltas: return deltas too.

        Raises:
            UnknownRun: no such run.
        """
        ...

    async def result(self, run_id: str) -> RunResult:
        """Return the run's current state. Raises UnknownRun."""
        ...

    async def owner_of(self, run_id: str) -> str:
        """Return the name of the run's API key; empty on a laptop. Raises UnknownRun."""
        ...

    async def runs(self, limit: int = 50, before: str | None = None, *, owner: str | None = None) -> Sequence[RunRow]:
        """Return runs, newest first, from the one after `before`; those of `owner`, or all if None."""
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

        Args:
            sql: the statement.
            max_rows: rows after which the answer is cut.
            isolated: run in a process with hard limits, on a recent copy of the journal, for untrusted callers; the
                answer then has `as_of`.
            owner: restricts the query to this owner's runs, and implies `isolated`; None for all runs.

        Raises:
            RequestError: not a single SELECT, invalid SQL, or a limit was exceeded.
            Throttled: too many isolated queries are running.
        """
        ...

    async def stats(self, *, owner: str | None = None) -> Stats:
        """Return totals over the runs of `owner`, or over all if None."""
        ...


class CallerQuotas(Protocol):
    """The limits of API keys."""

    async def admit_caller(self, owner: str, limits: CallerLimits, *, spends: bool) -> None:
        """Count one request of an API key; `spends` is true if it may call models. Raises Throttled."""
        ...

    async def spent_today(self, owner: str) -> float:
        """Return the US dollars that an API key's runs have spent since 00:00 UTC, without calls in flight.

        A call with an unknown bill counts at the most that it can have cost.
        """
        ...


class Maintenance(Protocol):
    """Maintains the home."""

    async def prune(self, older_than_s: float, *, dry_run: bool = False) -> PruneReport:
        """Delete the runs that ended more than `older_than_s` seconds ago; count them only if `dry_run`."""
        ...

    async def active(self) -> int:
        """Count the runs that have not ended."""
        ...


class Engine(RunControl, RunRecords, Reports, CallerQuotas, Maintenance, Protocol):
    """All of ai3ray, as the HTTP app sees it; methods raise Ai3Error only."""
