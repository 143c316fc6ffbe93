"""What only Ray can break: processes that die."""

from __future__ import annotations

import asyncio
import os
import signal

import psutil
import pytest

from ai3ray.client.client import Client
from ai3ray.client.local_head import find_head
from ai3ray.connect import connect
from ai3ray.domain.listings import Accepted
from ai3ray.simulator import Simulator
from tests.conftest import Home, quiet
from tests.executor.graphs import DIAMOND, asked, wide

pytestmark = pytest.mark.ray


@pytest.fixture
async def client(head_home, simulator):
    async with connect(head_home.settings, head_home.env, notify=quiet) as connected:
        yield connected


def actor_pid(home: Home, name: str) -> int:
    """The process of one of the head's actors, by the class that Ray shows in its title."""
    head = find_head(home.settings)
    assert head is not None
    for process in psutil.Process(head.pid).children(recursive=True):
        if f"ray::{name}" in " ".join(process.cmdline()):
            return process.pid
    raise AssertionError(f"no process of {name}")


async def reached(simulator: Simulator, words: str) -> None:
    """Return once a call with these words is in flight: its start alone does not say that it was sent."""
    async with asyncio.timeout(60):
        while not any(call.turns[-1][1].endswith(words) for call in simulator.ledger.calls):
            await asyncio.sleep(0.02)


async def in_flight(simulator: Simulator, count: int) -> None:
    """Return once the simulator has so many calls open."""
    async with asyncio.timeout(60):
        while simulator.ledger.in_flight < count:
            await asyncio.sleep(0.02)


async def held(client: Client, model: str) -> int:
    """Permits of a model that are out."""
    return next(view.in_flight for view in await client.models() if view.model == model)


def of(accepted: Accepted) -> str:
    return f"and run_id = '{accepted.run_id}'"


async def test_what_the_head_starts_does_not_yield_to_other_processes(client, head_home):
    """By default Ray's workers do, and where others want the processor, a run then waits minutes for its core."""
    result = await client.run(asked(wide(1), verify=False))
    assert result.status == "succeeded"
    nice = {psutil.Process(actor_pid(head_home, name)).nice() for name in ("CoreHost", "RunnerHost")}
    assert nice == {psutil.Process().nice()}


async def test_a_killed_runner_costs_only_its_attempts(client, simulator, head_home):
    simulator.set_faults({"contains": "green tea", "when": {"first": 1}, "fault": "stall", "seconds": 60})
    accepted = await client.submit(asked(DIAMOND))
    await reached(simulator, "green tea.")
    os.kill(actor_pid(head_home, "RunnerHost"), signal.SIGKILL)
    result = await client.wait(accepted.run_id)
    assert result.status == "succeeded"
    calls = [call.turns[-1][1].rsplit("\n", 1)[-1] for call in simulator.ledger.calls if call.complete]
    assert calls.count("Collect the facts about tea.") == 1  # what was committed is not paid again
    lost = await client.sql(
        f"select task_id, maybe_paid from attempts where run_id = '{accepted.run_id}' and status = 'lost'"
    )
    assert ("left", True) in lost.rows


async def test_the_permits_of_a_killed_runner_are_back_within_five_seconds_and_others_get_them(
    client, simulator, head_home
):
    simulator.set_faults({"contains": "subject", "when": {"first": 8}, "fault": "stall", "seconds": 60})
    hog = await client.submit(asked(wide(8), models=("grok-4.7",), max_concurrency=8, verify=False))
    await in_flight(simulator, 8)  # all that the provider may have
    modest = await client.submit(asked(wide(1), models=("grok-4.7",), verify=False))
    os.kill(actor_pid(head_home, "RunnerHost"), signal.SIGKILL)
    async with asyncio.timeout(5):
        while await held(client, "xai/grok-4.7") == 8:
            await asyncio.sleep(0.02)
    assert (await client.wait(modest.run_id)).status == "succeeded"
    assert (await client.wait(hog.run_id)).status == "succeeded"
    lost = await client.sql(f"select count(*), bool_and(maybe_paid) from attempts where status = 'lost' {of(hog)}")
    assert lost.rows == ((8, True),)


async def test_a_runner_that_dies_while_its_run_is_cancelled_keeps_no_permit(client, simulator, head_home):
    simulator.set_faults({"contains": "subject", "when": {"first": 8}, "fault": "stall", "seconds": 60})
    hog = await client.submit(asked(wide(8), models=("grok-4.7",), max_concurrency=8, verify=False))
    await in_flight(simulator, 8)
    os.kill(actor_pid(head_home, "RunnerHost"), signal.SIGKILL)
    assert (await client.cancel(hog.run_id)).status == "cancelled"  # before anybody has noticed that it died
    async with asyncio.timeout(10):
        while await held(client, "xai/grok-4.7"):
            await asyncio.sleep(0.02)
    ends = f"select status, maybe_paid, count(*) from attempts where true {of(hog)} group by all"
    async with asyncio.timeout(10):  # permits are back before their calls' ends are on disk
        while (await client.sql(ends)).rows != (("lost", True, 8),):
            await asyncio.sleep(0.02)


async def test_a_killed_core_goes_on_from_the_journal(client, simulator, head_home):
    simulator.set_faults({"contains": "black tea", "when": {"first": 1}, "fault": "stall", "seconds": 60})
    accepted = await client.submit(asked(DIAMOND))
    await reached(simulator, "black tea.")
    os.kill(actor_pid(head_home, "CoreHost"), signal.SIGKILL)
    result = await client.wait(accepted.run_id)
    assert result.status == "succeeded"
    events = [event async for event in client.events(accepted.run_id)]
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    artifacts = [event.task_id for event in events if event.type == "task_artifact"]
    assert sorted(artifacts) == ["bottom", "left", "right", "top"]


async def test_after_twenty_failures_a_model_is_chosen_no_more(client, simulator):
    async def decide():
        accepted = await client.submit(asked(wide(1), models=("grok-4.3", "gpt-6-luna")))
        events = [event async for event in client.events(accepted.run_id)]
        decision = next(event for event in events if event.type == "decision")
        return {candidate.model: candidate.terms for candidate in decision.candidates}, decision.model

    before, favourite = await decide()
    provider = favourite.partition("/")[0]
    simulator.set_faults({"provider": provider, "fault": "cut"})
    while sum(call.provider == provider for call in simulator.ledger.calls) < 21:
        await client.run(asked(wide(8), models=(favourite,), max_concurrency=8))
    simulator.set_faults()
    after, chosen = await decide()
    assert after[favourite]["success"] < before[favourite]["success"]
    assert chosen != favourite


@pytest.mark.parametrize(("pattern", "passes"), [(".*", True), ("^never this$", False)])
async def test_a_schema_with_a_regular_expression_is_checked_in_a_worker(client, simulator, pattern, passes):
    schema = {"type": "object", "properties": {"x": {"type": "string", "pattern": pattern}}, "required": ["x"]}
    task = {"id": "t", "prompt": "Answer as JSON.", "output": "json", "checks": {"json_schema": schema}}
    async with asyncio.timeout(60):
        result = await client.run(asked({"tasks": [task]}, models=("grok-4.7",)))
    assert result.tasks[0].verdict.passed is passes


async def test_the_core_counts_what_it_would_prune_and_leaves_what_is_young(client, simulator):
    result = await client.run(asked(wide(1)))
    assert (await client.prune(0, dry_run=True)).runs >= 1
    assert (await client.prune(3600)).runs == 0
    assert await client.result(result.run_id) == result
