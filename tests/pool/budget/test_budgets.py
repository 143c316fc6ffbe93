"""The pool under budgets: who is called, who waits, who is refused, and in which words."""

import pytest

from ai3ray.domain.call import Usage
from ai3ray.domain.lease import Refusal, Settlement
from ai3ray.pool.pool import ProviderPool
from ai3ray.registry.registry import Registry
from ai3ray.settings.load import load_settings

# Every model costs 1 and 2 dollars per million tokens: with these, 0.001 + 2 * tokens / 1e6.
SIZE = {"input_tokens": 1000, "max_output_tokens": 10_000}
MOST = 0.002 + 0.02


def cost(pool_world, lease, dollars, output_tokens=500):
    """The call ends with this bill. Returns what waiting requests get."""
    usage = Usage(input_tokens=1000, output_tokens=output_tokens)
    done = Settlement(attempt_id=lease.attempt_id, token=lease.token, status="succeeded", usage=usage, cost_usd=dollars)
    return pool_world.pool.settle(done).grants


@pytest.fixture
def priced(world):
    """A pool whose models cap answers at 10,000 tokens."""

    def make(limits, **traits):
        return world(limits, max_output=10_000, **traits)

    return make


def test_a_lease_tells_the_most_that_its_call_can_cost_with_a_budget_or_without(priced):
    here = priced({"a": 3})
    assert here.take(**SIZE).reserved_usd == pytest.approx(MOST)
    assert here.take(run="r2", budget_usd=1.0, **SIZE).reserved_usd == pytest.approx(MOST)
    assert here.take(models=("a/brand-new",), **SIZE).reserved_usd is None


def test_a_request_waits_for_money_that_is_held_and_gets_it_when_a_call_was_cheaper(priced):
    here = priced({"a": 10})
    first = here.take(budget_usd=MOST, **SIZE)
    assert here.lease(budget_usd=MOST, **SIZE) is None
    (second,) = cost(here, first, 0.002)
    assert second.model == "a/m1"
    assert here.pool.snapshot().waiting == 0


def test_who_waits_is_refused_when_the_money_was_spent_and_not_before(priced):
    here = priced({"a": 10})
    first = here.take(budget_usd=MOST, **SIZE)
    assert [here.lease(budget_usd=MOST, **SIZE) for _ in range(3)] == [None] * 3
    refusals = cost(here, first, 0.0218)
    assert [answer.error.type for answer in refusals] == ["budget"] * 3
    assert refusals[0].error.message == (
        "the budget of $0.022 cannot pay for another call: $0.0218 is spent; start a new run with a larger one"
    )
    assert here.pool.snapshot().waiting == 0


def test_the_budget_of_one_run_holds_up_no_other(priced):
    here = priced({"a": 10})
    here.take(budget_usd=MOST, **SIZE)
    assert here.lease(budget_usd=MOST, **SIZE) is None
    assert here.take(run="r2", **SIZE)
    assert here.take(run="r3", budget_usd=MOST, **SIZE)


def test_a_provider_that_comes_free_serves_a_request_that_can_be_paid_before_one_that_cannot(priced):
    here = priced({"a": 2})
    first, other = here.take(budget_usd=0.024, **SIZE), here.take(run="r2", **SIZE)
    assert here.lease(budget_usd=0.024, **SIZE) is None
    assert here.lease(run="r3", **SIZE) is None
    (served,) = cost(here, other, 0.002)
    assert served.run_id == "r3"
    (paid,) = cost(here, first, 0.002)
    assert paid.run_id == "r1"


def test_a_refused_key_leaves_those_who_waited_for_money_to_other_models(priced):
    here = priced({"a": 10, "b": 10})
    first = here.take(budget_usd=MOST, models=("a/m1",), **SIZE)
    assert here.lease(budget_usd=MOST, **SIZE) is None
    (moved,) = here.fail(first, "key_refused").grants
    assert moved.model == "b/m1"


def test_a_decision_names_the_models_that_the_budget_rules_out(tmp_path):
    settings = load_settings(env={"AI3_HOME": str(tmp_path)}, cwd=tmp_path)
    ids = iter(range(100))
    pool = ProviderPool(
        Registry.load(settings), settings, ("anthropic",), clock=lambda: 0.0, new_id=lambda: f"att_{next(ids)}"
    )
    from ai3ray.domain.lease import LeaseRequest

    request = LeaseRequest(request_id="w", run_id="r", tier="frontier", input_tokens=1000, budget_usd=0.002)
    lease = pool.lease(request)
    assert lease.model == "anthropic/claude-haiku-5-5"
    excluded = {candidate.model: candidate.excluded for candidate in lease.candidates}
    assert excluded["anthropic/claude-opus-5-5"] == "over budget: about $0.016"
    assert excluded["anthropic/claude-haiku-5-5"] is None


def test_what_such_answers_took_lately_is_what_the_next_is_expected_to_take(priced):
    here = priced({"a": 10})
    for _ in range(20):
        cost(here, here.take(run="r0", **SIZE), 0.019, output_tokens=9000)
    assert isinstance(here.lease(budget_usd=0.015, stretch=False, **SIZE), Refusal)
    assert here.take(run="r2", budget_usd=0.025, stretch=False, **SIZE)


def test_a_judges_call_is_left_out_where_a_tasks_call_would_stretch_the_budget(priced):
    here = priced({"a": 10})
    assert isinstance(here.lease(budget_usd=0.001, stretch=False, **SIZE), Refusal)
    assert here.take(budget_usd=0.001, **SIZE)


def test_the_days_budget_refuses_runs_that_have_none_of_their_own(priced):
    here = priced({"a": 10})
    here.settings = here.settings.model_copy(update={"budget_day_usd": 0.01})
    pool = ProviderPool(here.registry, here.settings, ("a",), clock=lambda: here.now, new_id=lambda: "att_1")
    pool.budgets.add_spent("ann", 0.0098)
    refusal = pool.lease(here.request(**SIZE))
    assert refusal.error.type == "budget"
    assert "the day's budget of $0.01 cannot pay for another call: $0.0098 is spent" in refusal.error.message
    assert pool.budgets.spent_today("ann") == 0.0098
    unknown = pool.lease(here.request(models=("a/brand-new",)))
    assert unknown.error.message == "no model is left: unknown price under a budget: a/brand-new"


def test_a_lease_that_runs_out_counts_with_the_most_that_its_call_can_have_cost(priced):
    here = priced({"a": 10})
    here.take(budget_usd=0.0224, **SIZE)
    assert here.lease(budget_usd=0.0224, **SIZE) is None
    (refusal,) = here.wait(1000)
    assert refusal.error.message.startswith("the budget of $0.0224 cannot pay for another call: $0.022 is spent")


def test_a_run_that_ended_takes_its_budget_along_and_not_the_days_spending(priced):
    here = priced({"a": 10})
    here.pool.budgets.open_run("r1", 0.03, owner="ann", spent=0.01)
    lease = here.take(budget_usd=0.03, **SIZE)
    here.pool.drop_run("r1")
    cost(here, lease, 0.005)
    assert here.pool.budgets.spent_today("ann") == 0.005
