"""What a kill may not change beside the answer: a second recovery, and the time a run has."""

from __future__ import annotations

import asyncio
import signal
from datetime import UTC, datetime, timedelta

import pytest

from ai3ray.client.local_head import stop_head
from tests.chaos.checks import check_bills, check_history
from tests.chaos.scenarios import BY_NAME
from tests.chaos.striking import settled, started, submitted, to_the_end, undisturbed, words_of
from tests.chaos.trap import SIDES, Point

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(300)]

PLAIN = BY_NAME["plain"]
DEADLINE_S = 8.0


@pytest.mark.parametrize("side", SIDES)
async def test_killed_again_while_it_recovers_it_recovers_again(site, side):
    """The second kill comes at the first event of the second life."""
    expected = (await undisturbed(PLAIN, site)).answer
    await site.ready()
    site.trap.set(Point("task_artifact", 1, "after"), [], freeze=False)
    async with asyncio.TaskGroup() as group:
        run_id = await submitted(PLAIN, site)
        group.create_task(to_the_end(run_id, PLAIN, site))
        assert await site.trap.strikes(60) is not None
        site.trap.set(Point("decision", 1, side), [], freeze=False)
        assert await site.trap.strikes(60) is not None
    record = await settled(run_id, site)
    assert record.answer == expected
    check_history(record)
    check_bills(record)


async def test_a_killed_command_that_was_its_own_engine_is_taken_over_by_a_head(site):
    """With --inline, the command's process is conductor, pool, journal and runner."""
    expected = (await undisturbed(PLAIN, site)).answer
    await site.ready()
    await stop_head(site.home.settings)
    site.trap.set(Point("task_artifact", 2, "after"), [], freeze=False)
    command = await started([*words_of(PLAIN, site), "--inline"], site)
    assert await command.wait() == -signal.SIGKILL
    struck = site.trap.struck()
    assert struck is not None
    await to_the_end(struck.run_id, PLAIN, site)
    record = await settled(struck.run_id, site)
    assert record.answer == expected
    check_history(record)
    check_bills(record)
    assert {event.line() for event in record.events}.issuperset(site.trap.committed())


async def test_a_deadline_counts_from_acceptance_whoever_is_killed_meanwhile(site):
    """Not from the restart, which takes most of it: the run ends when it should, or as soon as there is a new head."""
    slow = BY_NAME["cancelled"]
    await site.ready()
    site.simulator.set_faults(*map(dict, slow.faults))
    site.trap.set(Point("task_artifact", 1, "after"), await site.pids("head"), freeze=False)
    async with site.client() as client:
        accepted = await client.submit(slow.request.model_copy(update={"deadline_s": DEADLINE_S}))
    assert await site.trap.strikes(60) is not None
    async with site.client() as client:
        await client.stats()
        up_at = datetime.now(UTC)
        result = await client.wait(accepted.run_id)
        events = [event async for event in client.events(accepted.run_id)]
    assert (result.status, result.error.type) == ("cancelled", "deadline")
    assert {task.id: task.status for task in result.tasks} == {"top": "succeeded", "slow": "cancelled"}
    began, ended = (datetime.fromisoformat(event.ts) for event in (events[0], events[-2]))
    assert (ended - began).total_seconds() >= DEADLINE_S - 0.1
    assert (ended - max(began + timedelta(seconds=DEADLINE_S), up_at)).total_seconds() < 2.0
