"""What moves a model up or down, and what excludes it."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai3ray.pool.lease import LeaseRequest
from ai3ray.registry.cards import ModelCard
from ai3ray.router.rank import rank
from ai3ray.router.weights import Weights
from ai3ray.router.wish import Conditions

TERMS = {"quality", "tier", "success", "latency", "cost", "load"}


def test_every_candidate_shows_every_term_and_the_score_is_their_sum(question):
    for candidate in question.ask():
        assert candidate.terms.keys() == TERMS
        assert candidate.score == pytest.approx(sum(candidate.terms.values()), abs=1e-4)


def test_equal_models_stand_in_the_order_of_their_names(question, make):
    question.cards = [make.card(name) for name in ("b/x", "a/y", "a/x")]
    assert [candidate.model for candidate in question.ask()] == ["a/x", "a/y", "b/x"]


def first(question, **wish) -> str:
    return question.ask(**wish)[0].model


def test_quality_is_that_of_the_kind(question, make):
    question.cards = [make.card("a/poet", quality={"writing": 0.9}), make.card("b/coder", quality={"coding": 0.9})]
    assert first(question, kind="writing") == "a/poet"
    assert first(question, kind="coding") == "b/coder"


def test_the_tier_wanted_is_best_and_too_strong_is_better_than_too_weak(question, make):
    question.cards = [make.card(f"a/{tier}", tier=tier) for tier in ("small", "standard", "frontier")]
    question.weights = Weights(tier=1)
    assert [c.model for c in question.ask(tier="standard")] == ["a/standard", "a/frontier", "a/small"]
    assert [c.model for c in question.ask(tier="small")] == ["a/small", "a/standard", "a/frontier"]
    assert [c.model for c in question.ask(tier="frontier")] == ["a/frontier", "a/standard", "a/small"]


def test_after_twenty_failures_another_model_is_first(question, make):
    question.cards = [make.card("a/good", quality={"other": 0.9}), make.card("b/plain", quality={"other": 0.6})]
    before = {c.model: c.terms["success"] for c in question.ask()}
    assert first(question) == "a/good"
    question.conditions = {"live": {"a/good": make.seen(bad=20)}}
    after = {c.model: c.terms["success"] for c in question.ask()}
    assert first(question) == "b/plain"
    assert after["a/good"] < before["a/good"] / 3
    assert after["b/plain"] == before["b/plain"]


def test_faster_is_better_and_unseen_small_models_are_taken_to_be_fast(question, make):
    question.cards = [make.card("a/slow"), make.card("b/quick")]
    question.conditions = {"live": {"a/slow": make.seen(good=5, seconds=30), "b/quick": make.seen(good=5, seconds=2)}}
    assert first(question) == "b/quick"
    question.cards = [make.card("a/large", tier="frontier"), make.card("b/small", tier="small")]
    question.conditions = {}
    question.weights = Weights(latency=1)
    assert first(question) == "b/small"


def test_cheaper_is_better_and_an_unknown_price_counts_as_dear(question, make):
    question.cards = [make.card("a/unknown"), make.card("b/dear"), make.card("c/cheap")]
    question.conditions = {"prices": {"b/dear": make.rates(9.0), "c/cheap": make.rates(0.2)}}
    assert [c.model for c in question.ask()] == ["c/cheap", "b/dear", "a/unknown"]


def test_the_cost_is_that_of_this_call_not_of_any(question, make):
    """Much input favours cheap input, much output favours cheap output."""
    reads, writes = make.rates(1.0), make.rates(1.0)
    question.conditions = {
        "prices": {"a/one": reads.model_copy(update={"output": 9.0}), "b/two": writes.model_copy(update={"input": 9.0})}
    }
    assert first(question, input_tokens=50_000, max_output_tokens=100) == "a/one"
    assert first(question, input_tokens=100, max_output_tokens=50_000) == "b/two"


def test_an_idle_provider_is_better(question):
    question.conditions = {"load": {"a": 1.0, "b": 0.5}}
    assert first(question) == "b/two"


@pytest.mark.parametrize(
    ("traits", "wish", "conditions", "reason"),
    [
        ({}, {"models": ("b/two",)}, {}, "not among the models asked for"),
        ({}, {"exclude": ("a/one",)}, {}, "tried already"),
        ({"retired_on": date(2026, 11, 22)}, {}, {}, "retired on 2026-11-22"),
        ({"structured": False}, {"structured": True}, {}, "no structured output"),
        ({"plans": False}, {"plans": True}, {}, "cannot plan"),
        (
            {"context": 5000},
            {"input_tokens": 4000, "max_output_tokens": 2000},
            {},
            "its window of 5000 tokens is too small",
        ),
        ({}, {"budget_usd": 1.0}, {}, "unknown price under a budget"),
        ({}, {}, {"out": {"a": "out: no money"}}, "out: no money"),
        ({}, {}, {"paused": {"a": "busy with 3 of 3 calls"}}, "busy with 3 of 3 calls"),
        ({}, {}, {"paused": {"a/one": "failed"}}, "failed"),
    ],
)
def test_a_model_that_cannot_be_called_stands_last_with_the_reason(question, make, traits, wish, conditions, reason):
    question.cards = [make.card("a/one", quality={"other": 1.0}, **traits), make.card("b/two", quality={"other": 0.1})]
    question.conditions = {"prices": {"b/two": make.rates(1.0)}, **conditions}
    best, last = question.ask(**wish)
    assert (best.model, best.excluded) == ("b/two", None)
    assert (last.model, last.excluded) == ("a/one", reason)
    assert last.terms.keys() == TERMS


def test_a_model_retires_on_its_day_not_before(question, make):
    question.cards = [make.card("a/one", retired_on=date(2026, 11, 23))]
    assert question.ask()[0].excluded is None


@given(
    qualities=st.lists(st.floats(0, 1), min_size=1, max_size=6),
    weights=st.builds(Weights, **dict.fromkeys(TERMS, st.floats(0, 10))),
    tried=st.sets(st.integers(0, 5)),
)
def test_the_admissible_ones_come_first_and_sorted(qualities, weights, tried):
    cards = [ModelCard(provider="p", id=str(n), quality={"other": value}) for n, value in enumerate(qualities)]
    request = LeaseRequest(request_id="r", run_id="run", exclude=tuple(f"p/{n}" for n in tried))
    ranked = rank(request, cards, Conditions(today=date(2026, 11, 22)), weights)
    assert len(ranked) == len(qualities)
    admissible = [candidate for candidate in ranked if candidate.excluded is None]
    assert ranked[: len(admissible)] == tuple(admissible)
    assert [c.score for c in admissible] == sorted((c.score for c in admissible), reverse=True)
