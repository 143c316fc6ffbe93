"""The engine's classes as Ray actors: one core, its runners, and the seams between them as actor calls.

The core owns its runners: when its process dies they end with it, so no zombie keeps paying; Ray starts
the core anew, and it goes on from the journal. Ray's own retries stay off, they would pay twice.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import ray
from ray.actor import ActorHandle
from ray.exceptions import (
    ActorDiedError,
    ActorUnavailableError,
    ObjectLostError,
    RayError,
    RayTaskError,
    TaskCancelledError,
    WorkerCrashedError,
)

from ai3ray.domain.events import Stats
from ai3ray.domain.request import RunRequest
from ai3ray.domain.result import RunResult
from ai3ray.domain.views import Accepted, ModelView, PlanPreview, PruneReport, RunRow, Table
from ai3ray.errors import Ai3Error, EngineError, RunnerLost
from ai3ray.executor.build import RunnerParts, build_core
from ai3ray.executor.core import Core
from ai3ray.executor.functions import RayIsolation
from ai3ray.executor.port import Assembled, AssembleJob, Feed, Outcome, PlanJob, Planned, Ref, Sync, Synced, TaskJob
from ai3ray.executor.runner import Runner
from ai3ray.pool.lease import Lease, Refusal
from ai3ray.settings import Settings

NAMESPACE = "ai3"
CORE_NAME = "ai3-core"
# Calls that wait for permits or events count against max_concurrency: it is far above any real load.
ACTOR_OPTIONS: dict[str, Any] = {
    "num_cpus": 0,
    "max_restarts": -1,
    "max_task_retries": 0,
    "max_concurrency": 10_000,
    "enable_task_events": False,
}
RECOVERY_S = 60.0
"""Seconds that a died actor gets to come back."""

T = TypeVar("T")

_LOST = (ActorDiedError, ActorUnavailableError, WorkerCrashedError, ObjectLostError)


class RunnerHost:
    """A runner in its own process."""

    def __init__(self, runner_id: str, settings: Settings, core: ActorHandle[Any]) -> None:
        self._runner_id = runner_id
        self._settings = settings
        self._core = core
        self._parts: RunnerParts | None = None

    async def ping(self) -> int:
        """The process id; answers once the process is up."""
        return os.getpid()

    async def warm_up(self) -> None:
        """Import what the first call would wait for."""
        await self._ready().warm_up()

    async def run_task(self, job: TaskJob, *deps: Outcome) -> Outcome:
        """Do one task; see `Runner.run_task`."""
        async with self._flushed() as runner:
            return await runner.run_task(job, *deps)

    async def plan(self, job: PlanJob) -> Planned:
        """Plan a run; see `Runner.plan`."""
        async with self._flushed() as runner:
            return await runner.plan(job)

    async def assemble(self, job: AssembleJob) -> Assembled:
        """Merge a run's outputs; see `Runner.assemble`."""
        async with self._flushed() as runner:
            return await runner.assemble(job)

    @asynccontextmanager
    async def _flushed(self) -> AsyncIterator[Runner]:
        """The runner; when its work is cancelled, the settlement of the call that was cut is sent before it ends."""
        parts = self._ready()
        try:
            yield parts.runner
        except asyncio.CancelledError:
            await asyncio.shield(parts.flush())
            raise

    def _ready(self) -> RunnerParts:
        if self._parts is None:
            link = RayCoreLink(self._core)
            self._parts = RunnerParts(self._runner_id, self._settings, os.environ, link, RayIsolation())
        return self._parts


class CoreHost:
    """The core in its own process. It starts itself at the first call, and so again after a restart."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._starting: asyncio.Task[Core] | None = None

    async def ready(self) -> None:
        """Return once the journal is open and the runners are on their way."""
        await self._core()

    async def pids(self) -> list[int]:
        """Process ids of the core and its runners, once all are up."""
        core = await self._core()
        crew = core.crew
        assert isinstance(crew, RayCrew)
        return [os.getpid(), *(await crew.pids())]

    async def sync(self, sync: Sync) -> Synced:
        """See `CoreLink.sync`."""
        return await (await self._core()).sync(sync)

    async def grants(self, runner_id: str) -> Sequence[Lease | Refusal]:
        """See `CoreLink.grants`."""
        return await (await self._core()).grants(runner_id)

    async def engine(self, method: str, args: tuple[Any, ...], fields: dict[str, Any]) -> Any:
        """One of the `Engine` port's methods by name."""
        return await getattr(await self._core(), method)(*args, **fields)

    async def aclose(self) -> None:
        """Leave the runs resumable and close the journal."""
        if self._starting is not None:
            await (await self._starting).aclose()

    async def _core(self) -> Core:
        if self._starting is None or (self._starting.done() and self._starting.exception() is not None):
            self._starting = asyncio.create_task(self._start(), name="core-start")
        return await asyncio.shield(self._starting)

    async def _start(self) -> Core:
        core = await build_core(self._settings, os.environ)
        core.start(RayCrew(self._settings, ray.get_runtime_context().current_actor))
        return core


class RayCoreLink:
    """The core as a runner sees it."""

    def __init__(self, core: ActorHandle[Any]) -> None:
        self._core = core

    async def sync(self, sync: Sync) -> Synced:
        """See `CoreLink.sync`."""
        return await _answer(self._core.sync.remote(sync))

    async def grants(self, runner_id: str) -> Sequence[Lease | Refusal]:
        """See `CoreLink.grants`."""
        return await _answer(self._core.grants.remote(runner_id))


class RayRef:
    """A runner's work behind an ObjectRef."""

    def __init__(self, ref: ray.ObjectRef[Any], on_lost: Callable[[], None]) -> None:
        self.ref = ref
        self._on_lost = on_lost

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._value().__await__()

    async def _value(self) -> Any:
        try:
            return await self.ref
        except _LOST as error:
            self._on_lost()
            raise RunnerLost(_first_line(error)) from error
        except TaskCancelledError as error:
            raise asyncio.CancelledError from error
        except RayTaskError as error:
            if isinstance(error.cause, _LOST):  # a dependency's runner died, so this never began
                raise RunnerLost(_first_line(error.cause)) from error
            if isinstance(error.cause, TaskCancelledError | asyncio.CancelledError):
                raise asyncio.CancelledError from error
            raise EngineError(_first_line(error)) from error


class LateRef:
    """Work that is given out once a runner is back: its dependencies travel by value."""

    def __init__(self, work: Awaitable[Any]) -> None:
        self.task: asyncio.Future[Any] = asyncio.ensure_future(work)

    def __await__(self) -> Generator[Any, Any, Any]:
        return asyncio.shield(self.task).__await__()


class _Runner:
    """One runner actor and whether it is there."""

    def __init__(self, handle: ActorHandle[Any]) -> None:
        self.handle = handle
        self.recovery: asyncio.Task[None] | None = None

    @property
    def up(self) -> bool:
        return self.recovery is None or self.recovery.done()

    def lost(self) -> None:
        """Its process died: Ray starts another; until it answers nothing is sent there."""
        if self.up:
            self.recovery = asyncio.create_task(self._come_back(), name="runner-recovery")

    async def _come_back(self) -> None:
        async with asyncio.timeout(RECOVERY_S):
            while True:
                try:
                    await self.handle.ping.remote()
                except ActorUnavailableError:
                    await asyncio.sleep(0.1)  # Ray offers no event for "restarted"
                else:
                    return


class RayCrew:
    """The runners as actors, each task an actor call wired to its dependencies by ObjectRefs.

    Args:
        settings: how many runners, and what they are built from.
        core: the handle that runners call back on.
    """

    def __init__(self, settings: Settings, core: ActorHandle[Any]) -> None:
        runners: Any = ray.remote(RunnerHost).options(**ACTOR_OPTIONS)
        self._runners = [_Runner(runners.remote(f"runner-{n}", settings, core)) for n in range(settings.runners)]
        self._warming = [runner.handle.warm_up.remote() for runner in self._runners]
        self._turn = 0

    def start_task(self, job: TaskJob, deps: Sequence[Ref | Outcome]) -> Ref:
        """Begin a task as soon as its dependencies are there; Ray holds it back until they are."""
        runner = self._next()
        if runner.up and not any(isinstance(dep, LateRef) for dep in deps):
            wired = [dep.ref if isinstance(dep, RayRef) else dep for dep in deps]
            return RayRef(runner.handle.run_task.remote(job, *wired), runner.lost)

        async def work() -> Outcome:
            values = [dep if isinstance(dep, Outcome) else await dep for dep in deps]
            outcome: Outcome = await self._late(lambda handle: handle.run_task.remote(job, *values))
            return outcome

        return LateRef(work())

    def start_plan(self, job: PlanJob) -> Ref:
        """Begin planning."""
        return self._start(lambda handle: handle.plan.remote(job))

    def start_assembly(self, job: AssembleJob) -> Ref:
        """Begin merging."""
        return self._start(lambda handle: handle.assemble.remote(job))

    def cancel(self, ref: Ref) -> None:
        """Stop it; a call that waits for its dependencies never begins."""
        if isinstance(ref, RayRef):
            ray.cancel(ref.ref)
        elif isinstance(ref, LateRef):
            ref.task.cancel()

    async def pids(self) -> list[int]:
        """Process ids of the runners, once they are up."""
        return list(await asyncio.gather(*(runner.handle.ping.remote() for runner in self._runners)))

    def _start(self, call: Callable[[ActorHandle[Any]], ray.ObjectRef[Any]]) -> Ref:
        runner = self._next()
        return RayRef(call(runner.handle), runner.lost) if runner.up else LateRef(self._late(call))

    def _next(self) -> _Runner:
        """The runners in turn, those that are up first."""
        self._turn += 1
        order = [self._runners[(self._turn + n) % len(self._runners)] for n in range(len(self._runners))]
        return next((runner for runner in order if runner.up), order[0])

    async def _late(self, call: Callable[[ActorHandle[Any]], ray.ObjectRef[Any]]) -> Any:
        runner = self._next()
        if runner.recovery is not None:
            try:
                await asyncio.shield(runner.recovery)
            except (RayError, TimeoutError) as error:
                raise EngineError("the runner did not come back") from error
        ref = RayRef(call(runner.handle), runner.lost)
        try:
            return await ref
        except asyncio.CancelledError:
            ray.cancel(ref.ref)
            raise


class RayEngine:
    """The core as the app sees it, in whatever process the app runs.

    Args:
        core: handle of the core actor.
    """

    def __init__(self, core: ActorHandle[Any]) -> None:
        self._core = core

    async def submit(self, request: RunRequest, *, owner: str = "", key: str | None = None) -> Accepted:
        """See `Engine.submit`."""
        accepted: Accepted = await self._call("submit", request, owner=owner, key=key)
        return accepted

    async def feed(self, run_id: str, after: int = 0, cursor: int = 0, *, deltas: bool = False) -> Feed:
        """See `Engine.feed`."""
        feed: Feed = await self._call("feed", run_id, after, cursor, deltas=deltas)
        return feed

    async def result(self, run_id: str) -> RunResult:
        """See `Engine.result`."""
        result: RunResult = await self._call("result", run_id)
        return result

    async def runs(self, limit: int = 50, before: str | None = None) -> Sequence[RunRow]:
        """See `Engine.runs`."""
        rows: Sequence[RunRow] = await self._call("runs", limit, before)
        return rows

    async def cancel(self, run_id: str, by: str = "user") -> RunResult:
        """See `Engine.cancel`."""
        result: RunResult = await self._call("cancel", run_id, by)
        return result

    async def resume(self, run_id: str) -> RunResult:
        """See `Engine.resume`."""
        result: RunResult = await self._call("resume", run_id)
        return result

    async def plan(self, request: RunRequest) -> PlanPreview:
        """See `Engine.plan`."""
        preview: PlanPreview = await self._call("plan", request)
        return preview

    async def models(self) -> Sequence[ModelView]:
        """See `Engine.models`."""
        views: Sequence[ModelView] = await self._call("models")
        return views

    async def query(self, sql: str, *, max_rows: int = 10_000) -> Table:
        """See `Engine.query`."""
        table: Table = await self._call("query", sql, max_rows=max_rows)
        return table

    async def stats(self) -> Stats:
        """See `Engine.stats`."""
        stats: Stats = await self._call("stats")
        return stats

    async def prune(self, older_than_s: float, *, dry_run: bool = False) -> PruneReport:
        """See `Engine.prune`."""
        report: PruneReport = await self._call("prune", older_than_s, dry_run=dry_run)
        return report

    async def active(self) -> int:
        """See `Engine.active`."""
        count: int = await self._call("active")
        return count

    async def pids(self) -> list[int]:
        """Process ids of the core and its runners, once all are up."""
        return await _answer(self._core.pids.remote())

    async def aclose(self) -> None:
        """Leave the runs resumable and close the journal."""
        await _answer(self._core.aclose.remote())

    async def _call(self, method: str, *args: Any, **fields: Any) -> Any:
        """Ask the core; while Ray restarts it, ask again. What is asked twice is idempotent or keyed."""
        async with asyncio.timeout(None) as clock:
            while True:
                try:
                    return await _answer(self._core.engine.remote(method, args, fields))
                except CoreRestarting:
                    if method == "submit" and fields.get("key") is None:
                        raise  # without a key a second try could start a second run
                    if clock.when() is None:
                        clock.reschedule(asyncio.get_running_loop().time() + RECOVERY_S)
                    await asyncio.sleep(0.1)


class CoreRestarting(EngineError):
    """The core's process died and Ray is starting another."""

    type = "core_restarting"


async def _answer(ref: ray.ObjectRef[T]) -> T:
    """The value, with errors of our tree as they were raised and Ray's as EngineError."""
    try:
        return await ref
    except ActorUnavailableError as error:
        raise CoreRestarting("the core is restarting") from error
    except TaskCancelledError as error:
        raise asyncio.CancelledError from error
    except RayTaskError as error:
        if isinstance(error.cause, Ai3Error):
            raise error.cause from None
        raise EngineError(_first_line(error)) from error
    except RayError as error:
        raise EngineError(_first_line(error)) from error


def create_core(settings: Settings, name: str = CORE_NAME) -> ActorHandle[Any]:
    """The core actor of this Ray, made if it is not there."""
    actor: Any = ray.remote(CoreHost).options(name=name, namespace=NAMESPACE, get_if_exists=True, **ACTOR_OPTIONS)
    handle: ActorHandle[Any] = actor.remote(settings)
    return handle


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
