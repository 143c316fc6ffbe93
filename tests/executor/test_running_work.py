"""What a runner has under way can be stopped run by run."""

from __future__ import annotations

import asyncio

import pytest

from ai3ray.executor.running_work import REMEMBERED, RunningWork


async def work(running: RunningWork, run_id: str) -> None:
    with running.of(run_id):
        await asyncio.sleep(60)


async def test_stopping_a_run_cancels_its_work_and_no_other():
    running = RunningWork()
    mine = [asyncio.create_task(work(running, "r")) for _ in range(3)]
    other = asyncio.create_task(work(running, "other"))
    await asyncio.sleep(0)
    running.stop("r")
    await asyncio.wait(mine)
    assert all(task.cancelled() for task in mine)
    assert not other.done()
    other.cancel()


async def test_what_comes_too_late_for_a_stopped_run_never_begins():
    running = RunningWork()
    running.stop("r")
    with pytest.raises(asyncio.CancelledError), running.of("r"):
        raise AssertionError("it began")


async def test_stopped_runs_are_forgotten_one_day():
    running = RunningWork()
    for n in range(REMEMBERED + 1):
        running.stop(f"r{n}")
    with running.of("r0"):
        pass
    with pytest.raises(asyncio.CancelledError), running.of(f"r{REMEMBERED}"):
        raise AssertionError("it began")
