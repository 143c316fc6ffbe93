"""What the core does for the callers of a server: whose run it is, what they may spend, that none is lost."""

from __future__ import annotations

import asyncio

import pytest

from ai3ray.domain.access import CallerLimits
from ai3ray.domain.request import RunRequest
from ai3ray.errors import Throttled, UnknownRun
from ai3ray.executor.inline import open_inline
from tests.conftest import make_home
from tests.executor.graphs import wide


@pytest.fixture
async def core(simulator, home_folder):
    home = make_home(home_folder, simulator)
    async with open_inline(home.settings, home.env) as core:
        yield core


def asked(prompt: str = "say hello") -> RunRequest:
    return RunRequest(prompt=prompt, plan=wide(1), verify=False)


async def ended(core, run_id: str) -> None:
    after = 0
    while not (feed := await core.feed(run_id, after)).done:
        after = feed.items[-1].seq


async def test_a_run_belongs_to_the_key_that_started_it(core):
    accepted = await core.submit(asked(), owner="alice")
    await ended(core, accepted.run_id)
    assert await core.owner_of(accepted.run_id) == "alice"
    rows = (await core.query("SELECT owner FROM runs")).rows
    assert rows == (("alice",),)
    assert [row.run_id for row in await core.runs(owner="alice")] == [accepted.run_id]
    assert list(await core.runs(owner="bob")) == []
    with pytest.raises(UnknownRun):
        await core.owner_of("run_none")


async def test_planning_costs_the_key_that_asked_for_it(core):
    await core.plan(RunRequest(prompt="Write a 3-section blog post about AI"), owner="alice")
    assert (await core.stats(owner="alice")).cost_usd == (await core.stats()).cost_usd > 0
    assert (await core.stats(owner="bob")).cost_usd == 0


async def test_a_key_that_has_spent_its_day_may_still_look_but_start_nothing(core):
    limits = CallerLimits(usd_per_day=1e-9)
    await core.admit_caller("alice", limits, spends=True)
    await ended(core, (await core.submit(asked(), owner="alice")).run_id)
    with pytest.raises(Throttled, match="today") as refused:
        await core.admit_caller("alice", limits, spends=True)
    assert 0 < refused.value.retry_after_s <= 24 * 3600
    await core.admit_caller("alice", limits, spends=False)
    await core.admit_caller("bob", limits, spends=True)
    await core.admit_caller("alice", CallerLimits(usd_per_day=1000.0), spends=True)


async def test_more_requests_than_a_minute_s_are_refused_with_the_time_to_wait(core):
    limits = CallerLimits(rpm=2)
    await core.admit_caller("alice", limits, spends=False)
    await core.admit_caller("alice", limits, spends=True)
    with pytest.raises(Throttled, match="2 requests a minute") as refused:
        await core.admit_caller("alice", limits, spends=False)
    assert 59 < refused.value.retry_after_s <= 60


async def test_a_caller_that_leaves_while_its_run_is_accepted_leaves_no_run_that_nobody_drives(core):
    submitting = asyncio.create_task(core.submit(asked(), owner="alice", key="k"))
    while not core._journal.open_runs():
        await asyncio.sleep(0)
    submitting.cancel()
    await asyncio.gather(submitting, return_exceptions=True)
    assert submitting.cancelled()
    again = await core.submit(asked(), owner="alice", key="k")
    await asyncio.wait_for(ended(core, again.run_id), 30)
    assert (await core.result(again.run_id)).status == "succeeded"
