"""The runners as Ray actors."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Sequence
from typing import Any

import ray
from ray.actor import ActorHandle
from ray.exceptions import ActorUnavailableError, RayError, RayTaskError, TaskCancelledError

from ai3ray.errors import EngineError, RunnerLost
from ai3ray.executor.port import AssembleJob, Outcome, PlanJob, Ref, TaskJob
from ai3ray.executor.ray.actor_errors import LOST, RECOVERY_S, first_line
from ai3ray.executor.ray.runner_host import RunnerHost
from ai3ray.settings.model import Settings

# Calls that only wait count against max_concurrency too, so it is far above any real load.
ACTOR_OPTIONS: dict[str, Any] = {
    "num_cpus": 0,
    "max_restarts": -1,
    "max_task_retries": 0,
    "max_concurrency": 10_000,
    "enable_task_events": False,
}


OnDeath = Callable[[str], None]


class RayRef:
    """Work as an ObjectRef."""

    def __init__(self, ref: ray.ObjectRef[Any], on_lost: Callable[[], None]) -> None:
        self.ref = ref
        self._on_lost = on_lost

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._value().__await__()

    def cancel(self) -> None:
        """Cancel the work, even before it starts."""
        ray.cancel(self.ref)

    async def _value(self) -> Any:
        try:
            return await self.ref
        except LOST as error:
            self._on_lost()
            raise RunnerLost(first_line(error)) from error
        except TaskCancelledError as error:
            raise asyncio.CancelledError from error
        except RayTaskError as error:
            if isinstance(error.cause, LOST):  # a dependency's runner died, so the work never started
                raise RunnerLost(first_line(error.cause)) from error
            if isinstance(error.cause, TaskCancelledError | asyncio.CancelledError):
                raise asyncio.CancelledError from error
            raise EngineError(first_line(error)) from error


class DeferredRef:
    """Work that waits for a runner to be up; dependencies go by value."""

    def __init__(self, work: Awaitable[Any]) -> None:
        self.task: asyncio.Future[Any] = asyncio.ensure_future(work)

    def __await__(self) -> Generator[Any, Any, Any]:
        return asyncio.shield(self.task).__await__()

    def cancel(self) -> None:
        """Cancel the work."""
        self.task.cancel()


class _RunnerActor:
    def __init__(self, handle: ActorHandle[Any], on_death: OnDeath) -> None:
        self.handle = handle
        self.recovery: asyncio.Task[None] | None = None
        self._on_death = on_death
        self.watch = asyncio.create_task(self._watch(), name="runner-watch")

    @property
    def up(self) -> bool:
        return self.recovery is None or self.recovery.done()

    def lost(self) -> None:
        """Mark as down until the next process answers."""
        if self.up:
            self.recovery = asyncio.create_task(self._come_back(), name="runner-recovery")

    async def _watch(self) -> None:
        """Report each process's end, even if idle."""
        while True:
            name: str | None = None
            try:
                name = await self.handle.name.remote()
                await self.handle.live.remote(name)
            except LOST:
                self.lost()
            except RayError:
                return  # Ray itself is ending
            if name is not None:
                self._on_death(name)
            if self.recovery is not None:
                try:
                    await asyncio.shield(self.recovery)
                except (RayError, TimeoutError):
                    return  # the runner stays down; calls fail with EngineError

    async def _come_back(self) -> None:
        async with asyncio.timeout(RECOVERY_S):
            while True:
                try:
                    await self.handle.ping.remote()
                except ActorUnavailableError:
                    await asyncio.sleep(0.1)  # Ray has no event for a restart
                else:
                    return


class RayRunnerPool:
    """Runner actors; `on_death` receives each dead runner's name."""

    def __init__(self, settings: Settings, core: ActorHandle[Any], on_death: OnDeath) -> None:
        runners: Any = ray.remote(RunnerHost).options(**ACTOR_OPTIONS)
        handles = [runners.remote(f"runner-{n}", settings, core) for n in range(settings.runners)]
        self._runners = [_RunnerActor(handle, on_death) for handle in handles]
        self._warming = [runner.handle.warm_up.remote() for runner in self._runners]
        self._turn = 0

    def start_task(self, job: TaskJob, deps: Sequence[Ref | Outcome]) -> Ref:
        """Start a task after its dependencies."""
        runner = self._next()
        if runner.up and not any(isinstance(dep, DeferredRef) for dep in deps):
            wired = [dep.ref if isinstance(dep, RayRef) else dep for dep in deps]
            return RayRef(runner.handle.run_task.remote(job, *wired), runner.lost)

        async def work() -> Outcome:
            values = [dep if isinstance(dep, Outcome) else await dep for dep in deps]
            outcome: Outcome = await self._late(lambda handle: handle.run_task.remote(job, *values))
            return outcome

        return DeferredRef(work())

    def start_plan(self, job: PlanJob) -> Ref:
        """Start planning."""
        return self._start(lambda handle: handle.plan.remote(job))

    def start_assembly(self, job: AssembleJob) -> Ref:
        """Start an assembly."""
        return self._start(lambda handle: handle.assemble.remote(job))

    def stop_run(self, run_id: str) -> None:
        """Stop all work on a run."""
        for runner in self._runners:
            if runner.up:
                runner.handle.stop_run.remote(run_id)

    async def aclose(self) -> None:
        """Stop watching the runners."""
        for runner in self._runners:
            runner.watch.cancel()
        await asyncio.gather(*(runner.watch for runner in self._runners), return_exceptions=True)

    async def pids(self) -> list[int]:
        """Return the runners' process ids, once all are up."""
        return list(await asyncio.gather(*(runner.handle.ping.remote() for runner in self._runners)))

    def _start(self, call: Callable[[ActorHandle[Any]], ray.ObjectRef[Any]]) -> Ref:
        runner = self._next()
        return RayRef(call(runner.handle), runner.lost) if runner.up else DeferredRef(self._late(call))

    def _next(self) -> _RunnerActor:
        """Prefer a runner that is up."""
        self._turn += 1
        order = [self._runners[(self._turn + n) % len(self._runners)] for n in range(len(self._runners))]
        return next((runner for runner in order if runner.up), order[0])

    async def _late(self, call: Callable[[ActorHandle[Any]], ray.ObjectRef[Any]]) -> Any:
        runner = self._next()
        if runner.recovery is not None:
            try:
                await asyncio.shield(runner.recovery)
            except (RayError, TimeoutError) as error:
                raise EngineError(f"the runner did not come back within {RECOVERY_S:g} s") from error
        ref = RayRef(call(runner.handle), runner.lost)
        try:
            return await ref
        except asyncio.CancelledError:
            ray.cancel(ref.ref)
            raise
