"""One run, one owner: what a former core, or a runner of it, says too late changes nothing and costs nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from ai3ray.domain.call import Usage
from ai3ray.domain.events import TaskArtifact, TaskStart
from ai3ray.domain.lease import LeaseRequest, Settlement
from ai3ray.executor.build import RunnerParts, build_core
from ai3ray.executor.core import Core
from ai3ray.executor.port import Entries, Sync, TaskJob
from ai3ray.verifier.isolation import ProcessIsolation
from tests.conftest import Home, make_home
from tests.executor.graphs import asked, wide


class Idle:
    """A runner pool that takes work and does nothing with it."""

    def __init__(self) -> None:
        self.jobs: asyncio.Queue[TaskJob] = asyncio.Queue()
        self.work: list[asyncio.Future[None]] = []

    def start_task(self, job, deps):
        self.jobs.put_nowait(job)
        self.work.append(asyncio.get_running_loop().create_future())
        return self.work[-1]

    def stop_run(self, run_id):
        for work in self.work:
            work.cancel()


@asynccontextmanager
async def owner(home: Home) -> AsyncIterator[tuple[Core, Idle]]:
    """A core with nobody to work for it; its runs stay open."""
    core, runner_pool = await build_core(home.settings, home.env), Idle()
    core.start(runner_pool)
    try:
        yield core, runner_pool
    finally:
        await core.aclose()


@pytest.fixture
async def takeover(home_folder, simulator) -> AsyncIterator[tuple[Home, TaskJob, Core]]:
    """A job of a core that is gone, and the core that has its run now."""
    home = make_home(home_folder, simulator)
    async with owner(home) as (former, runner_pool):
        await former.submit(asked(wide(1), models=("xai/grok-4.7",), verify=False))
        job = await runner_pool.jobs.get()
    async with owner(home) as (present, runner_pool):
        assert (await runner_pool.jobs.get()).epoch == job.epoch + 1
        yield home, job, present


async def history(core: Core, run_id: str) -> Sequence[str]:
    return [item.data for item in (await core.feed(run_id)).items]


async def test_a_late_sync_of_a_former_core_is_refused(takeover):
    _, job, core = takeover
    before = await history(core, job.run_id)
    artifact = TaskArtifact(task_id="t0", artifact="a", text="late", model="p/m", usage=Usage(), cost_usd=None)
    late = Entries(
        run_id=job.run_id,
        epoch=job.epoch,
        key="late",
        events=(TaskStart(task_id="t0", attempt_id="zombie", model="p/m"), artifact),
    )
    end = Settlement(attempt_id="zombie", token=1, status="succeeded")
    synced = await core.sync(Sync(runner_id="zombie", entries=(late,), settlements=(end,)))
    assert synced.refused["late"].type == "stale_epoch"
    assert await history(core, job.run_id) == before
    assert (await core.result(job.run_id)).tasks[0].output is None


async def test_a_request_of_a_former_core_is_refused(takeover):
    _, job, core = takeover
    request = LeaseRequest(request_id="w", run_id=job.run_id, epoch=job.epoch, task_id="t0", models=("xai/grok-4.7",))
    (refusal,) = (await core.sync(Sync(runner_id="zombie", leases=(request,)))).grants
    assert refusal.error.type == "stale_epoch"
    (lease,) = (await core.sync(Sync(runner_id="new", leases=(request._replace(epoch=job.epoch + 1),)))).grants
    assert lease.model == "xai/grok-4.7"


async def test_a_zombie_runner_calls_nobody_and_commits_nothing(takeover, simulator):
    home, job, core = takeover
    before = await history(core, job.run_id)
    zombie = RunnerParts("zombie", home.settings, home.env, core, ProcessIsolation())
    outcome = await zombie.runner.run_task(job)
    await zombie.aclose()
    assert outcome.status == "failed"
    assert "taken over" in outcome.error.message
    assert simulator.ledger.calls == []
    assert await history(core, job.run_id) == before


async def test_what_was_in_flight_when_a_run_had_ended_and_its_core_died_is_closed_by_the_next_core(
    home_folder, simulator
):
    home = make_home(home_folder, simulator)
    async with owner(home) as (former, runner_pool):
        await former.submit(asked(wide(1), models=("xai/grok-4.7",), verify=False))
        job = await runner_pool.jobs.get()
        request = LeaseRequest(request_id="w", run_id=job.run_id, task_id="t0", models=("xai/grok-4.7",))
        await former.sync(Sync(runner_id="gone", leases=(request,)))
        assert (await former.cancel(job.run_id)).status == "cancelled"
        sql = f"select status, maybe_paid from attempts where run_id = '{job.run_id}'"
        assert (await former.query(sql)).rows == (("started", False),)
    async with owner(home) as (present, _):
        assert (await present.query(sql)).rows == (("lost", True),)
