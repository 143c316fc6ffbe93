"""Two of three providers answer most calls 429: nothing is lost, nothing is done or paid twice, and it ends."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict

import pytest

from ai3ray.connect import connect
from ai3ray.simulator.billing import BilledCall
from tests.conftest import quiet
from tests.executor.graphs import asked, wide

pytestmark = pytest.mark.ray

TASKS = 200
MODELS = ("claude-sonnet-5-5", "gpt-6.1-sol", "grok-4.7")
LONGEST_S = 60.0


@pytest.fixture
async def client(head_home, simulator):
    async with connect(head_home.settings, head_home.env, notify=quiet) as connected:
        await connected.models()  # when it is the session's first, it waits for Ray
        yield connected


def by_task(calls: list[BilledCall]) -> dict[str, list[BilledCall]]:
    """The calls of each task, by the last line of their prompt: the task's own."""
    found: dict[str, list[BilledCall]] = defaultdict(list)
    for call in calls:
        found[call.turns[-1][1].rsplit("\n", 1)[-1]].append(call)
    return found


async def test_two_hundred_tasks_weather_a_storm_of_rate_limits(client, simulator):
    simulator.set_latency(first_token_s=0.02, total_s=0.1)
    simulator.set_limits(xai={"concurrency": 8})
    simulator.set_faults(
        *({"provider": name, "fault": "rate_limit", "retry_after": 0.3, "when": {"probability": 0.7}}
          for name in ("anthropic", "openai"))
    )  # fmt: skip
    request = asked(wide(TASKS), models=MODELS, max_concurrency=40, max_tasks=TASKS, verify=False)
    async with asyncio.timeout(LONGEST_S):
        accepted = await client.submit(request)
        events = [event async for event in client.events(accepted.run_id)]
        result = await client.result(accepted.run_id)
    run = f"where run_id = '{accepted.run_id}'"
    assert result.status == "succeeded", result.error
    assert {task.id for task in result.tasks if task.output} == {f"t{n}" for n in range(TASKS)}

    committed = Counter(event.task_id for event in events if event.type == "task_artifact")
    assert committed == {f"t{n}": 1 for n in range(TASKS)}
    kept = await client.sql(f"select task_id, count(*) from artifacts {run} group by task_id")
    assert dict(kept.rows) == committed

    calls = by_task(simulator.ledger.calls)
    assert len(calls) == TASKS
    for prompt, tries in calls.items():
        *refused, answered = tries
        assert answered.complete, prompt
        assert all((call.status, call.cost_usd) == (429, 0.0) for call in refused), prompt  # nor any after its answer

    rows = await client.sql(f"select status, error_type, maybe_paid, count(*) from attempts {run} group by all")
    statuses = {row[:3]: row[3] for row in rows.rows}
    storm = sum(call.status == 429 for call in simulator.ledger.calls)
    assert statuses == {("succeeded", None, False): TASKS, ("failed", "rate_limited", False): storm}
    billed = simulator.ledger.to_json(summary=True)["totals"]["cost_usd"]
    assert result.stats.cost_usd == pytest.approx(billed, abs=1e-9)

    served = Counter(call.provider for call in simulator.ledger.calls if call.complete)
    assert storm > 5  # it was one
    assert storm < TASKS // 2  # and refusals did not multiply: a provider that says wait is left alone
    assert served["xai"] > TASKS // 2
