"""The seams of the engine: who hosts what is decided behind them, so the engine does not know Ray.

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
    """Everything a runner needs for one task, but for the outcomes of its dependencies."""

    run_id: str
    """The run."""
    epoch: int
    """The owner's epoch; entries written under an older one are refused."""
    task: Task
    """The task."""
    titles: dict[str, str]
    """Title of each task of the plan by id."""
    fence: str
    """Marks data in all calls of the run; nobody could know it before."""
    shares: bool
    """Whether other tasks of the run read the same context."""
    request: RunRequest
    """The run's settings, defaults filled in."""


class PlanJob(Frozen):
    """Everything a runner needs to plan a run."""

    run_id: str
    """The run."""
    epoch: int
    """The owner's epoch."""
    request: RunRequest
    """The run's prompt and settings, defaults filled in."""


class Outcome(Frozen):
    """How a task ended, as a value: a task never raises through a reference."""

    task_id: str
    """The task."""
    status: Literal["succeeded", "failed", "skipped", "cancelled"]
    """How it ended."""
    text: str = ""
    """Its answer, when it succeeded."""
    error: ErrorInfo | None = None
    """Why there is none."""


class Planned(Frozen):
    """How planning ended."""

    graph: TaskGraph | None = None
    """The plan, when there is one."""
    source: Literal["model", "template", "fallback"] = "model"
    """Where it came from."""
    warnings: tuple[Warned, ...] = ()
    """What the reader should know, such as that the plan is the fallback."""
    error: ErrorInfo | None = None
    """Why there is no plan: no model could be asked."""


class AssembleJob(Frozen):
    """Everything a runner needs to make one answer of a run's outputs by a strategy that asks a model."""

    run_id: str
    """The run."""
    epoch: int
    """The owner's epoch."""
    assembly: Assembly
    """The strategy."""
    graph: TaskGraph
    """The plan."""
    request: RunRequest
    """The run's prompt and settings, defaults filled in."""
    outputs: dict[str, str]
    """Output of each task that has one, by id."""
    holes: dict[str, str]
    """Why there is none, by id of each other task."""


class Assembled(Frozen):
    """How merging ended."""

    text: str = ""
    """The answer, when it kept every part."""
    error: ErrorInfo | None = None
    """Why there is none."""


class Entries(Frozen):
    """Journal entries of one run, taken together or not at all."""

    run_id: str
    """The run."""
    epoch: int
    """The writer's epoch."""
    key: str
    """The writer's own key: sent twice, taken once."""
    events: tuple[AnyEvent, ...] = ()
    """Drafts of events."""
    attempts: tuple[Attempt, ...] = ()
    """Model calls that began or ended."""


@dataclass(frozen=True, slots=True)
class Sync:
    """All that has gathered in a runner since its last send."""

    runner_id: str
    """Which runner speaks."""
    settlements: tuple[Settlement, ...] = ()
    """Calls that ended; taken first, so that their permits serve the requests below."""
    entries: tuple[Entries, ...] = ()
    """What is to be journaled, in order."""
    leases: tuple[LeaseRequest, ...] = ()
    """Calls that want to begin."""
    withdrawn: tuple[str, ...] = ()
    """Ids of requests that nobody waits for any more."""
    deltas: tuple[TextDelta, ...] = ()
    """Pieces of text for whoever is watching."""


@dataclass(frozen=True, slots=True)
class Granted:
    """What a runner's requests came to."""

    grants: tuple[Lease | Refusal, ...] = ()
    """Answers to the latest requests and to earlier ones."""
    watched: tuple[str, ...] = ()
    """Runs whose deltas somebody reads. It comes with the grants: with a call of such a run its deltas begin."""


@dataclass(frozen=True, slots=True)
class Synced(Granted):
    """The core's answer to a Sync."""

    refused: Mapping[str, ErrorInfo] = field(default_factory=dict)
    """Entries that were not taken, by key."""


class CorePort(Protocol):
    """The core, as a runner sees it."""

    async def sync(self, sync: Sync) -> Synced:
        """Hand over what has gathered. Returns once the entries have their place in the journal."""
        ...

    async def grants(self, runner_id: str) -> Granted:
        """Wait until waiting requests of this runner are answered. Returns early with none at times."""
        ...


class Ref(Protocol):
    """What a runner will return; under Ray an ObjectRef."""

    def __await__(self) -> Generator[Any, Any, Any]:
        """Return the value. Raises RunnerLost when the process that worked on it died."""
        ...

    def cancel(self) -> object:
        """Stop the work: its call's socket is closed, its lease returned. Returns at once."""
        ...


class RunnerPool(Protocol):
    """The runners, as the conductor sees them."""

    def start_task(self, job: TaskJob, deps: Sequence[Ref | Outcome]) -> Ref:
        """Begin a task as soon as its dependencies are there. `deps` are in the order of `task.depends_on`."""
        ...

    def start_plan(self, job: PlanJob) -> Ref:
        """Begin planning; the reference gives a Planned."""
        ...

    def start_assembly(self, job: AssembleJob) -> Ref:
        """Begin merging; the reference gives an Assembled."""
        ...

    def stop_run(self, run_id: str) -> None:
        """Stop all that works on a run, and begin nothing more for it. Returns at once."""
        ...


class ConductorHost(Protocol):
    """The core, as a conductor sees it."""

    def slot(self) -> AbstractAsyncContextManager[object]:
        """Hold one of the slots for active runs inside the block; entering waits for one."""
        ...

    def runner_lost(self, run_id: str, task_id: str | None) -> None:
        """Settle the calls of a runner that died over this task (None: plan or assembly) before it is started again."""
        ...

    def stop_run(self, run_id: str) -> None:
        """Grant the run no more calls, and have the runners begin none for it. Returns at once."""
        ...


class FeedItem(Frozen):
    """One event as a reader gets it."""

    type: str
    """The event's type."""
    seq: int | None
    """Its place in the history; None for a delta."""
    data: str
    """The envelope, one line of JSON."""


class Feed(Frozen):
    """What a reader of a run gets in one go."""

    items: tuple[FeedItem, ...]
    """Committed events after the reader's last one, and deltas between them."""
    cursor: int
    """Where in the deltas to go on."""
    done: bool
    """True when `stats`, the last event, has been delivered."""


class RunControl(Protocol):
    """Starts runs and decides on their going on."""

    async def submit(
        self, request: RunRequest, *, owner: str = "", key: str | None = None, watch: bool = False
    ) -> Accepted:
        """Make the run durable, then start it. The same key and body again give the same run.

        Args:
            request: what to run.
            owner: name of the API key that sent it; empty for the home's own user.
            key: the caller's Idempotency-Key.
            watch: keep the run's deltas from the first one on, for a caller that is about to follow it.

        Raises:
            UsageError: a plan, model or provider is wrong; nothing was journaled.
            KeyReused: the key came before with another body.
        """
        ...

    async def plan(self, request: RunRequest, *, owner: str = "") -> PlanPreview:
        """Plan without running."""
        ...

    async def cancel(self, run_id: str, by: str = "user") -> RunResult:
        """Cancel the run and wait until it has ended; a finished one is left as it is. Raises UnknownRun."""
        ...

    async def resume(self, run_id: str) -> RunResult:
        """Make sure that the run goes on if it has not ended, and return how it stands. Raises UnknownRun."""
        ...


class RunRecords(Protocol):
    """Reads runs."""

    async def feed(self, run_id: str, after: int = 0, cursor: int = 0, *, deltas: bool = False) -> Feed:
        """Wait for the next events of a run.

        Args:
            run_id: the run.
            after: the last event the reader has.
            cursor: the last delta the reader has, as the feed before said.
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
        """Return runs, newest first.

        Args:
            limit: the most of them.
            before: the run id the page starts after.
            owner: whose runs; everybody's when absent.
        """
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
            isolated: run it in a process of its own, with hard limits, on a recent copy of the journal: for
                callers who are not the home's own user. The answer then has `as_of`.
            owner: whose runs it sees, None for everybody's; with one it is always isolated.

        Raises:
            RequestError: it is not one SELECT, it is wrong, or it broke a limit and was stopped.
            Throttled: too many isolated queries are running.
        """
        ...

    async def stats(self, *, owner: str | None = None) -> Stats:
        """Return all runs in figures; those of one owner when one is named."""
        ...


class CallerQuotas(Protocol):
    """What API keys may ask and spend."""

    async def admit_caller(self, owner: str, limits: CallerLimits, *, spends: bool) -> None:
        """Count one request of an API key.

        Args:
            owner: the key's name.
            limits: what it may ask.
            spends: whether the request may start calls of models.

        Raises:
            Throttled: a limit is reached.
        """
        ...

    async def spent_today(self, owner: str) -> float:
        """Return the US dollars that an API key's runs have spent since 00:00 UTC; calls in flight do not count yet.

        A call that may have been billed at an unknown price counts with the most that it can have cost.
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
    """All of ai3ray, as the HTTP app sees it; every method raises errors of our tree."""
