"""The seams of the engine; which process hosts what is decided behind them.

app ──Engine──► Core ──RunnerPool──► runners ──CorePort──► Core
"""

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
    """The owner's; entries written under an older one are refused."""
    task: Task
    titles: dict[str, str]
    """By task id."""
    fence: str
    """A random tag that marks data in all prompts of the run."""
    shares: bool
    """True if other tasks of the run read the same context."""
    request: RunRequest
    """With its defaults, and the context that this task reads."""


class PlanJob(Frozen):
    """The input of planning."""

    run_id: str
    epoch: int
    request: RunRequest


class Outcome(Frozen):
    """The end of a task, as a value: a task never raises through a reference."""

    task_id: str
    status: Literal["succeeded", "failed", "skipped", "cancelled"]
    text: str = ""
    error: ErrorInfo | None = None
    """Set unless the task succeeded."""


class Planned(Frozen):
    """The result of planning."""

    graph: TaskGraph | None = None
    source: Literal["model", "template", "fallback"] = "model"
    warnings: tuple[Warned, ...] = ()
    error: ErrorInfo | None = None
    """Set if no model could be asked."""


class AssembleJob(Frozen):
    """The input of an assembly strategy that asks a model."""

    run_id: str
    epoch: int
    assembly: Assembly
    graph: TaskGraph
    request: RunRequest
    outputs: dict[str, str]
    """By task id."""
    holes: dict[str, str]
    """Reasons why there is no output, by task id."""


class Assembled(Frozen):
    """The result of an assembly."""

    text: str = ""
    error: ErrorInfo | None = None
    """Set if there is no answer that can be used."""


class Entries(Frozen):
    """Journal entries of one run, taken together or not at all."""

    run_id: str
    epoch: int
    key: str
    """The writer's own; entries sent twice under it are taken once."""
    events: tuple[AnyEvent, ...] = ()
    attempts: tuple[Attempt, ...] = ()


@dataclass(frozen=True, slots=True)
class Sync:
    """Everything that has gathered in a runner since its last send."""

    runner_id: str
    settlements: tuple[Settlement, ...] = ()
    """Taken first, so that their permits serve the requests below."""
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
    """Runs with a reader of deltas. Sent with the grants, so that deltas flow from a call's first piece on."""


@dataclass(frozen=True, slots=True)
class Synced(Granted):
    """The core's answer to a Sync."""

    refused: Mapping[str, ErrorInfo] = field(default_factory=dict)
    """Entries that were not taken, by key."""


class CorePort(Protocol):
    """The core, as a runner sees it."""

    async def sync(self, sync: Sync) -> Synced:
        """Hand over what has gathered; return once the entries have their place in the journal."""
        ...

    async def grants(self, runner_id: str) -> Granted:
        """Wait for answers to this runner's waiting requests; may return early with none."""
        ...


class Ref(Protocol):
    """A runner's result to come; under Ray an ObjectRef."""

    def __await__(self) -> Generator[Any, Any, Any]:
        """Return the value. Raises RunnerLost when the process that worked on it died."""
        ...

    def cancel(self) -> object:
        """Close the socket of its call, return its lease. Does not wait."""
        ...


class RunnerPool(Protocol):
    """The runners, as the conductor sees them."""

    def start_task(self, job: TaskJob, deps: Sequence[Ref | Outcome]) -> Ref:
        """Begin a task once its dependencies, in the order of `task.depends_on`, are there; gives an Outcome."""
        ...

    def start_plan(self, job: PlanJob) -> Ref:
        """Begin planning; gives a Planned."""
        ...

    def start_assembly(self, job: AssembleJob) -> Ref:
        """Begin merging; gives an Assembled."""
        ...

    def stop_run(self, run_id: str) -> None:
        """Stop all work on a run, and begin none. Does not wait."""
        ...


class ConductorHost(Protocol):
    """The core, as a conductor sees it."""

    def slot(self) -> AbstractAsyncContextManager[object]:
        """Hold one of the slots for active runs; entering waits for one."""
        ...

    def runner_lost(self, run_id: str, task_id: str | None) -> None:
        """Settle the calls of a dead runner for this task (None: plan or assembly), before it is started again."""
        ...

    def stop_run(self, run_id: str) -> None:
        """Grant the run no more calls, and have the runners begin none. Does not wait."""
        ...


class FeedItem(Frozen):
    """One event as a reader gets it."""

    type: str
    seq: int | None
    """None for a delta."""
    data: str
    """The envelope, one line of JSON."""


class Feed(Frozen):
    """The next events of a run."""

    items: tuple[FeedItem, ...]
    """Committed events, and deltas between them."""
    cursor: int
    """Number of the last delta."""
    done: bool
    """True if `stats`, the last event, is among them."""


class RunControl(Protocol):
    """Starts, cancels and resumes runs."""

    async def submit(
        self, request: RunRequest, *, owner: str = "", key: str | None = None, watch: bool = False
    ) -> Accepted:
        """Make the run durable, then start it. The same key and body again give the same run.

        Args:
            request: what to run.
            owner: name of the caller's API key; empty for the home's own user.
            key: the caller's Idempotency-Key.
            watch: keep deltas from the first one on, for a caller that is about to follow the run.

        Raises:
            UsageError: a plan, model or provider is wrong; nothing was journaled.
            KeyReused: the key came before with another body.
        """
        ...

    async def plan(self, request: RunRequest, *, owner: str = "") -> PlanPreview:
        """Plan without running a task; the planner's call is journaled and billed as a run of its own."""
        ...

    async def cancel(self, run_id: str, by: str = "user") -> RunResult:
        """Cancel the run and wait for its end; a finished one stays as it is. Raises UnknownRun."""
        ...

    async def resume(self, run_id: str) -> RunResult:
        """Make sure that an unfinished run goes on; return how it stands. Raises UnknownRun."""
        ...


class RunRecords(Protocol):
    """Reads runs."""

    async def feed(self, run_id: str, after: int = 0, cursor: int = 0, *, deltas: bool = False) -> Feed:
        """Wait for the next events of a run.

        Args:
            run_id: the run.
            after: the last event the reader has.
            cursor: the last delta the reader has.
            deltas: whether to send deltas too.

        Raises:
            UnknownRun: no such run.
        """
        ...

    async def result(self, run_id: str) -> RunResult:
        """Return the run as it stands. Raises UnknownRun."""
        ...

    async def owner_of(self, run_id: str) -> str:
        """Return the name of the API key that started the run; empty on a laptop. Raises UnknownRun."""
        ...

    async def runs(self, limit: int = 50, before: str | None = None, *, owner: str | None = None) -> Sequence[RunRow]:
        """Return runs, newest first; the page starts after the run `before`; only `owner`'s, if one is named."""
        ...


class Reports(Protocol):
    """Reports on all runs and models."""

    async def models(self) -> Sequence[ModelView]:
        """Return the registry with live telemetry."""
        ...

    async def query(
        self, sql: str, *, max_rows: int = 10_000, isolated: bool = False, owner: str | None = None
    ) -> Table:
        """Run one read-only SELECT over the journal.

        Args:
            sql: the SELECT.
            max_rows: the most rows of the answer.
            isolated: run it in a process of its own, with hard limits, on a recent copy of the journal: for callers
                other than the home's own user. The answer then has `as_of`.
            owner: whose runs it sees, None for all; with an owner it is always isolated.

        Raises:
            RequestError: it is not one SELECT, it is wrong, or it broke a limit and was stopped.
            Throttled: too many isolated queries are running.
        """
        ...

    async def stats(self, *, owner: str | None = None) -> Stats:
        """Return all runs in figures; only `owner`'s, if one is named."""
        ...


class CallerQuotas(Protocol):
    """The limits of API keys."""

    async def admit_caller(self, owner: str, limits: CallerLimits, *, spends: bool) -> None:
        """Count one request of an API key; `spends` says whether it may call models. Raises Throttled."""
        ...

    async def spent_today(self, owner: str) -> float:
        """Return the US dollars that an API key's runs have spent since 00:00 UTC, without calls in flight.

        A call that may have been billed, at an unknown amount, counts with the most that it can have cost.
        """
        ...


class Maintenance(Protocol):
    """Keeps the home in order."""

    async def prune(self, older_than_s: float, *, dry_run: bool = False) -> PruneReport:
        """Delete the runs that ended more than `older_than_s` seconds ago, or only count them."""
        ...

    async def active(self) -> int:
        """Count the runs that have not ended."""
        ...


class Engine(RunControl, RunRecords, Reports, CallerQuotas, Maintenance, Protocol):
    """All of ai3ray, as the HTTP app sees it; its methods raise errors of our tree."""
