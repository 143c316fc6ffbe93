"""A runner actor and its core."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from ray.actor import ActorHandle

from ai3ray.domain.ids import new_id
from ai3ray.executor.build import RunnerParts
from ai3ray.executor.port import Assembled, AssembleJob, Granted, Outcome, PlanJob, Planned, Sync, Synced, TaskJob
from ai3ray.executor.ray.actor_errors import result_of
from ai3ray.executor.ray.checks import RayIsolation
from ai3ray.executor.runner import Runner
from ai3ray.settings.load import merged_env
from ai3ray.settings.model import Settings


class RunnerHost:
    """A runner actor; each process has a new name, so that no dead runner's leases reach it."""

    def __init__(self, title: str, settings: Settings, core: ActorHandle[Any]) -> None:
        self._runner_id = new_id(title)
        self._settings = settings
        self._core = core
        self._parts: RunnerParts | None = None

    async def ping(self) -> int:
        """Return the process id."""
        return os.getpid()

    async def name(self) -> str:
        """Return this process's runner's name."""
        return self._runner_id

    async def live(self, name: str) -> None:
        """Wait for this process's end, which fails the call; return at once for another `name`."""
        while name == self._runner_id:
            await asyncio.Event().wait()

    async def stop_run(self, run_id: str) -> None:
        """Stop all work on a run."""
        self._ready().runner.stop_run(run_id)

    async def warm_up(self) -> None:
        """Load prices and SDKs ahead of the first call."""
        await self._ready().warm_up()

    async def run_task(self, job: TaskJob, *deps: Outcome) -> Outcome:
        """Do one task."""
        async with self._flushed() as runner:
            return await runner.run_task(job, *deps)

    async def plan(self, job: PlanJob) -> Planned:
        """Plan a run."""
        async with self._flushed() as runner:
            return await runner.plan(job)

    async def assemble(self, job: AssembleJob) -> Assembled:
        """Assemble a run's outputs."""
        async with self._flushed() as runner:
            return await runner.assemble(job)

    @asynccontextmanager
    async def _flushed(self) -> AsyncIterator[Runner]:
        """Yield the runner; on cancellation, send settlements first."""
        parts = self._ready()
        try:
            yield parts.runner
        except asyncio.CancelledError:
            await asyncio.shield(parts.flush())
            raise

    def _ready(self) -> RunnerParts:
        if self._parts is None:
            core = RayCorePort(self._core)
            self._parts = RunnerParts(self._runner_id, self._settings, merged_env(), core, RayIsolation())
        return self._parts


class RayCorePort:
    """The core actor as a `CorePort`."""

    def __init__(self, core: ActorHandle[Any]) -> None:
        self._core = core

    async def sync(self, sync: Sync) -> Synced:
        """Send a runner's messages."""
        return await result_of(self._core.sync.remote(sync))

    async def grants(self, runner_id: str) -> Granted:
        """Wait for a runner's answers."""
        return await result_of(self._core.grants.remote(runner_id))
