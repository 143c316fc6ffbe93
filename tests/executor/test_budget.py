"""Runs under a budget: what they spend, how they stop, what they still answer. Real calls of the simulator."""

from __future__ import annotations

from typing import Any

import pytest

from ai3ray.connect import connect
from ai3ray.domain.events import parse_event
from ai3ray.domain.run import fold
from ai3ray.errors import BudgetSpent
from ai3ray.executor.inline import open_inline
from tests.conftest import make_home, quiet
from tests.executor.graphs import asked, wide

SOL = ("gpt-6.1-sol",)
CHAIN: dict[str, Any] = {
    "tasks": [
        {"id": "first", "title": "First", "prompt": "Write about tea.", "output": "markdown"},
        {"id": "second", "title": "Second", "prompt": "Improve it.", "depends_on": ["first"], "output": "markdown"},
    ]
}


@pytest.fixture
def home(home_folder, simulator):
    return make_home(home_folder, simulator, AI3_MAX_CONCURRENCY_PER_PROVIDER="20")


@pytest.fixture
async def inline(home):
    async with connect(home.settings, home.env, inline=True, notify=quiet) as connected:
        yield connected


async def price_of(client, request) -> float:
    """What a run costs when nothing limits it."""
    return (await client.run(request)).stats.cost_usd


def most(events) -> float:
    """The largest reservation."""
    return max(event.reserved_usd for event in events if event.type == "decision")


async def history(client, run_id):
    return [event async for event in client.events(run_id)]


async def test_a_run_over_budget_stops_with_what_it_has_on_every_host(client, simulator):
    request = asked(wide(5), models=SOL, verify=False)
    cap = 0.4 * await price_of(client, request)
    simulator.reset()
    result = await client.run(request.model_copy(update={"budget_usd": cap}))
    assert (result.status, result.error.type) == ("failed", "budget")
    assert "start a new run with a larger one" in result.error.message
    done = [task for task in result.tasks if task.status == "succeeded"]
    refused = [task for task in result.tasks if task.status == "failed"]
    assert 1 <= len(done) < 5
    assert len(done) + len(refused) == 5
    assert {task.error.type for task in refused} == {"budget"}
    assert all(task.output.strip() in result.output for task in done)
    assert result.output.count("[missing: ") == len(refused)
    billed = simulator.ledger.to_json()["totals"]["cost_usd"]
    events = await history(client, result.run_id)
    assert result.stats.cost_usd == pytest.approx(billed, abs=1e-9)
    assert billed <= cap + most(events)
    assert [event.type for event in events][-3:] == ["assemble_start", "error", "stats"]
    assert fold(events).output == result.output
    again = await client.resume(result.run_id)
    assert (again.status, again.output) == ("failed", result.output)
    assert simulator.ledger.to_json()["totals"]["cost_usd"] == billed


async def test_a_budget_of_what_it_costs_blocks_nothing(inline, simulator):
    request = asked(wide(3), models=SOL, verify=False)
    cost = await price_of(inline, request)
    result = await inline.run(request.model_copy(update={"budget_usd": cost}))
    assert (result.status, result.stats.cost_usd) == ("succeeded", pytest.approx(cost))
    assert result.warnings == ()


async def test_a_budget_too_small_for_any_call_makes_none(inline, simulator):
    result = await inline.run(asked(prompt="Write a 3-section blog post about AI", budget_usd=0.000001))
    assert (result.status, result.error.type, result.output) == ("failed", "budget", None)
    assert simulator.ledger.calls == []


async def test_when_only_the_plan_cannot_be_paid_asking_for_one_says_so(inline, simulator):
    with pytest.raises(BudgetSpent, match=r"the budget of \$0\.000001 cannot pay for any call"):
        await inline.plan(asked(prompt="Write a 3-section blog post about AI", budget_usd=0.000001))


async def test_a_plan_that_is_estimated_above_its_budget_is_shown_with_a_warning(inline, simulator):
    preview = await inline.plan(asked(wide(10), budget_usd=0.01))
    (warning,) = preview.warnings
    assert warning == f"the plan is estimated at ${preview.estimate['cost_usd']:g}, more than its budget of $0.01"
    assert (await inline.plan(asked(wide(10), budget_usd=10.0))).warnings == ()


async def test_scarce_money_goes_to_cheaper_models_before_anything_is_refused(inline, simulator):
    models = ("claude-opus-5-5", "gpt-6-luna")
    result = await inline.run(asked(wide(2), models=models, verify=False, budget_usd=0.003))
    assert result.status == "succeeded"
    assert {task.model for task in result.tasks} == {"openai/gpt-6-luna"}
    assert result.stats.cost_usd <= 0.003
    decisions = [event for event in await history(inline, result.run_id) if event.type == "decision"]
    why = {candidate.model: candidate.excluded for candidate in decisions[0].candidates}
    assert why["anthropic/claude-opus-5-5"].startswith("over budget: about $0.01")


async def test_the_planner_that_is_asked_first_does_not_eat_a_small_budget(inline, simulator):
    await inline.plan(asked(prompt="Write a 3-section blog post about AI", budget_usd=0.005))
    (call,) = simulator.ledger.calls
    assert call.model != "claude-opus-5-5"
    assert call.cost_usd <= 0.005


async def test_an_answer_whose_judge_cannot_be_paid_is_kept_and_said_to_be_unjudged(inline, simulator):
    plan = {"tasks": [{"id": "a", "prompt": "Write about tea.", "tier": "small"}]}
    result = await inline.run(asked(plan, models=("gpt-6-luna", "claude-opus-5-5"), budget_usd=0.0009))
    assert (result.status, result.tasks[0].model, result.tasks[0].verdict.by) == (
        "succeeded",
        "openai/gpt-6-luna",
        "rules",
    )
    (warning,) = result.warnings
    assert warning.startswith("answers are checked by rules alone: the budget of $0.0009 leaves too little for this")


async def test_a_merge_that_cannot_be_paid_is_a_joining_with_a_warning(inline, simulator):
    request = asked(wide(2), models=SOL, verify=False, assembly="synthesize")
    cost = await price_of(inline, request.model_copy(update={"assembly": "concat"}))
    result = await inline.run(request.model_copy(update={"budget_usd": cost + 0.0001}))
    assert result.status == "succeeded"
    assert all(task.output.strip() in result.output for task in result.tasks)
    (warning,) = result.warnings
    assert warning.startswith("the outputs are joined as they are: the budget of")


async def test_what_an_unpaid_task_would_have_read_is_the_answer(inline, simulator):
    request = asked(CHAIN, models=SOL, verify=False, assembly="last")
    first = (await inline.run(asked({"tasks": [CHAIN["tasks"][0]]}, models=SOL, verify=False))).stats.cost_usd
    result = await inline.run(request.model_copy(update={"budget_usd": first + 0.00001}))
    assert (result.status, result.error.type) == ("failed", "budget")
    assert result.tasks[0].output.strip() in result.output
    assert "[missing: Second (second): the budget" in result.output


async def test_the_last_call_may_cost_more_than_is_left_and_that_is_said(inline, simulator):
    result = await inline.run(asked(wide(1), models=SOL, verify=False, budget_usd=0.001))
    assert result.status == "succeeded"
    assert result.stats.cost_usd > 0.001
    (warning,) = result.warnings
    assert warning.startswith("the last call cost more than the budget had left: $")


async def test_calls_that_break_off_count_and_are_journaled(inline, simulator):
    simulator.set_faults({"fault": "cut", "when": {"n": [1, 3]}})
    request = asked(wide(6), models=("gpt-6.1-sol", "grok-4.7"), verify=False, max_concurrency=6, budget_usd=0.03)
    result = await inline.run(request)
    totals = simulator.ledger.to_json()["totals"]
    rows = (
        await inline.sql(f"select status, cost_usd, maybe_paid from attempts where run_id = '{result.run_id}'")
    ).rows
    answered = sum(cost for status, cost, _ in rows if status == "succeeded")
    assert answered == pytest.approx(totals["cost_usd"] - totals["cost_unfinished_usd"], abs=1e-9)
    assert [maybe_paid for status, _, maybe_paid in rows if status == "failed"] == [True, True]
    assert totals["cost_usd"] <= 0.03 + most(await history(inline, result.run_id))


async def test_a_run_without_a_budget_of_its_own_has_that_of_the_settings(home_folder, simulator):
    home = make_home(home_folder, simulator, AI3_BUDGET_USD="0.000001")
    async with open_inline(home.settings, home.env) as core:
        accepted = await core.submit(asked(wide(1)))
        feed = await core.feed(accepted.run_id)
        assert parse_event(feed.items[0].data).request["budget_usd"] == 0.000001


async def test_a_resumed_run_remembers_what_it_spent_and_counts_unknown_bills_at_their_reservation(home, simulator):
    simulator.set_faults({"contains": "subject 1", "fault": "stall"})
    async with open_inline(home.settings, home.env) as core:
        run_id = (await core.submit(asked(wide(2), models=SOL, verify=False, budget_usd=1.0))).run_id
        seen: list[tuple[str, str | None]] = []
        while not {("task_start", "t1"), ("task_artifact", "t0")} <= set(seen):
            events = map(parse_event, [item.data for item in (await core.feed(run_id, len(seen))).items])
            seen += [(event.type, event.task_id) for event in events]
        paid = (await core.result(run_id)).stats.cost_usd
    async with open_inline(home.settings, home.env) as core:  # its stalled call was cut off: who knows what it cost
        state, (budget,) = core._journal.state(run_id), core._pool.budgets._ledger.budgets(run_id)
        (cut,) = [call for call in state.attempts.values() if call.maybe_paid]
        assert cut.cost_usd is None
        assert budget.spent == pytest.approx(paid + state.reserved[cut.attempt_id])
        assert await core.spent_today("") == pytest.approx(budget.spent)
        await core.cancel(run_id)


async def test_the_days_budget_outlives_the_process(home_folder, simulator):
    home = make_home(home_folder, simulator, AI3_BUDGET_DAY_USD="0.004")
    request = asked(wide(2), models=SOL, verify=False)
    async with connect(home.settings, home.env, inline=True, notify=quiet) as client:
        first = await client.run(request)
        assert first.status == "succeeded"
    async with open_inline(home.settings, home.env) as core:
        assert await core.spent_today("") == pytest.approx(first.stats.cost_usd)
        assert await core.spent_today("nobody") == 0.0
    async with connect(home.settings, home.env, inline=True, notify=quiet) as client:
        second = await client.run(request)
        assert (second.status, second.error.type) == ("failed", "budget")
        assert "the day's budget of $0.004 cannot pay for another call" in second.error.message


async def test_what_an_owner_spent_today_is_known_by_name(home, simulator):
    async with open_inline(home.settings, home.env) as core:
        for owner in ("ann", "bob", "ann"):
            accepted = await core.submit(asked(wide(1), models=SOL, verify=False), owner=owner)
            after = 0
            while not (feed := await core.feed(accepted.run_id, after)).done:
                after += len(feed.items)
        rows = (await core.query("select owner, sum(cost_usd) from runs group by owner order by owner")).rows
        assert [await core.spent_today(owner) for owner, _ in rows] == [pytest.approx(usd) for _, usd in rows]
        assert [owner for owner, _ in rows] == ["ann", "bob"]
