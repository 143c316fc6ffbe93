"""A lease is worked out once: candidates, affordable ones, ranking, then granted, waiting or refused."""

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest

from ai3ray.domain.lease import Lease, Refusal
from ai3ray.pool import pool as pool_module
from ai3ray.pool.budget.budgets import Budgets
from ai3ray.pool.candidate_index import CandidateIndex
from ai3ray.pool.pool import ProviderPool
from ai3ray.router.router import Router

SIZE = {"input_tokens": 1000, "max_output_tokens": 10_000}
STAGES = {method.__code__: method.__qualname__ for method in (CandidateIndex.candidates, Budgets.check, Router.rank)}
MOST_STEPS = 5


def calls_of(function: Callable[[], object]) -> tuple[object, Counter[str], Counter[str]]:
    """The answer; the pool's own methods that were entered beside the outermost; and the stages of an evaluation."""
    own: Counter[str] = Counter()
    stages: Counter[str] = Counter()

    def profile(frame: FrameType, event: str, argument: object) -> None:
        code = frame.f_code
        method = not code.co_name.startswith("<")  # no comprehension
        if event == "call" and method and code.co_qualname.startswith(f"{ProviderPool.__name__}."):
            assert Path(code.co_filename) == Path(pool_module.__file__)
            own[code.co_name] += 1
        elif event == "call" and code in STAGES:
            stages[STAGES[code]] += 1

    sys.setprofile(profile)
    try:
        answer = function()
    finally:
        sys.setprofile(None)
    own.subtract(["lease"])
    return answer, +own, stages


def granted(here):
    return Lease, {}


def granted_under_a_budget(here):
    return Lease, {"budget_usd": 1.0, **SIZE}


def waits_for_a_permit(here):
    here.take()
    return type(None), {}


def waits_for_its_runs_limit(here):
    here.take()
    return type(None), {"run_limit": 1}


def waits_for_money(here):
    here.take(budget_usd=0.022, **SIZE)
    return type(None), {"budget_usd": 0.022, **SIZE}


def waits_behind_others(here):
    here.fail(here.take(), "rate_limited", retry_after_s=5.0)
    here.lease(run="r2")
    here.now += 10.0
    return type(None), {}


def refused_without_a_model(here):
    return Refusal, {"exclude": ("a",)}


def refused_without_money(here):
    return Refusal, {"budget_usd": 0.0001, **SIZE}


@pytest.mark.parametrize(
    "case",
    [
        granted,
        granted_under_a_budget,
        waits_for_a_permit,
        waits_for_its_runs_limit,
        waits_for_money,
        waits_behind_others,
        refused_without_a_model,
        refused_without_money,
    ],
)
def test_a_lease_takes_at_most_five_steps_and_none_twice(world, case):
    here = world({"a": 1 if case is waits_for_a_permit else 3}, max_output=10_000)
    expected, fields = case(here)
    request = here.request(**fields)
    answer, own, stages = calls_of(lambda: here.pool.lease(request))
    assert isinstance(answer, expected), answer
    assert sum(own.values()) <= MOST_STEPS, own
    assert set(own.values()) == {1}, own
    assert set(stages.values()) == {1}, stages
    assert "Budgets.check" in stages


def test_a_request_that_waited_is_answered_by_the_same_steps(world):
    here = world({"a": 1})
    lease = here.take()
    assert here.lease(run="r2") is None
    settled, own, stages = calls_of(lambda: here.succeed(lease))
    assert isinstance(settled.grants[0], Lease)
    assert {name: own[name] for name in ("_evaluate", "_answer", "_grant")} == dict.fromkeys(
        ("_evaluate", "_answer", "_grant"), 1
    )
    assert stages == {"CandidateIndex.candidates": 1, "Budgets.check": 1, "Router.rank": 1}


def test_a_request_that_is_rechecked_is_refused_by_the_same_steps(world):
    here = world({"a": 1})
    lease = here.take()
    assert here.lease(run="r2") is None
    settled, own, stages = calls_of(lambda: here.fail(lease, "key_refused"))
    assert isinstance(settled.grants[0], Refusal)
    assert (own["_evaluate"], own["_refuse"]) == (1, 1)
    assert stages == {"CandidateIndex.candidates": 1, "Budgets.check": 1}
