"""The engine without Ray."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Generator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from ai3ray.executor.build import RunnerParts, build_core
from ai3ray.executor.core import Core
from ai3ray.executor.port import AssembleJob, Outcome, PlanJob, Ref, TaskJob
from ai3ray.executor.runner import Runner
from ai3ray.settings.model import Settings
from ai3ray.telemetry.port import Observer
from ai3ray.verifier.isolation import ProcessIsolation


class InlineRef:
    """A task, shielded from its waiters' cancellation."""

    def __init__(self, work: Coroutine[Any, Any, Any], name: str) -> None:
        self.task = asyncio.create_task(work, name=name)

    def __await__(self) -> Generator[Any, Any, Any]:
        return asyncio.shield(self.task).__await__()

    def cancel(self) -> None:
        """Cancel the work."""
        self.task.cancel()


class InlineRunnerPool:
    """One runner in this process."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def start_task(self, job: TaskJob, deps: Sequence[Ref | Outcome]) -> InlineRef:
        """Start a task after its dependencies."""

        async def work() -> Outcome:
            outcomes = [dep if isinstance(dep, Outcome) else await dep for dep in deps]
            return await self._runner.run_task(job, *outcomes)

        return InlineRef(work(), f"{job.run_id}/{job.task.id}")

    def start_plan(self, job: PlanJob) -> InlineRef:
        """Start planning."""
        return InlineRef(self._runner.plan(job), f"{job.run_id}/plan")

    def start_assembly(self, job: AssembleJob) -> InlineRef:
        """Start an assembly."""
        return InlineRef(self._runner.assemble(job), f"{job.run_id}/assemble")

    def stop_run(self, run_id: str) -> None:
        """Stop all work on a run."""
        self._runner.stop_run(run_id)


@asynccontextmanager
async def open_inline(
    settings: Settings, env: Mapping[str, str], *, sinks: Sequence[Observer] | None = None
) -> AsyncIterator[Core]:
    """Run the engine on this loop. Raises JournalLocked if another process owns the home."""
    core = await build_core(settings, env, sinks=sinks)
    parts = RunnerParts("inline", settings, env, core, ProcessIsolation())
    try:
        core.start(InlineRunnerPool(parts.runner))
        yield core
    finally:
        await core.aclose_runs()
        await parts.aclose()
        await core.aclose()
