"""What moves a model up or down, what excludes it, and how draws come in."""

import pickle
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai3ray.domain.events import Decision, parse_event
from ai3ray.domain.lease import LeaseRequest
from ai3ray.registry.cards import ModelCard
from ai3ray.router.candidates import cache_key, exclusion
from ai3ray.router.conditions import Conditions, PricedModel
from ai3ray.router.weights import Weights

from .conftest import Question

TERMS = {"quality", "tier", "success", "latency", "cost", "load", "sampled"}


def test_every_candidate_shows_every_term_and_the_score_is_their_sum(question, make):
    for draw in (None, make.fixed(1.7, -0.3)):
        for candidate in question.ask(draw):
            assert candidate.terms.keys() == TERMS
            assert candidate.score == pytest.approx(sum(candidate.terms.values()), abs=1e-9)


def test_without_draws_nothing_is_sampled(question):
    assert all(abs(candidate.terms["sampled"]) < 1e-4 for candidate in question.ask())


def test_a_draw_moves_a_model_by_what_is_not_known_of_it(question, make):
    question.cards = [make.card("a/known"), make.card("b/new")]
    for _ in range(50):
        question.posterior.learn("other", question.cards[0], 0.6)
    question.see("a/known", good=50, seconds=5)
    known, new = sorted(question.ask(make.fixed(1.0, 1.0)), key=lambda candidate: candidate.model)
    assert 0 < known.terms["sampled"] < new.terms["sampled"] / 2


def test_equal_models_stand_in_the_order_of_their_names(question, make):
    question.cards = [make.card(name) for name in ("b/x", "a/y", "a/x")]
    assert [candidate.model for candidate in question.ask()] == ["a/x", "a/y", "b/x"]
    assert question.choice().best.name == "a/x"


def first(question, **request) -> str:
    best = question.choice(**request).best.name
    assert best == question.ask(**request)[0].model
    return best


def test_quality_is_that_of_the_kind(question, make):
    question.cards = [make.card("a/poet", quality={"writing": 0.9}), make.card("b/coder", quality={"coding": 0.9})]
    assert first(question, kind="writing") == "a/poet"
    assert first(question, kind="coding") == "b/coder"


def test_verdicts_correct_the_card(question, make):
    question.cards = [make.card("a/praised", quality={"coding": 0.9}), make.card("b/plain", quality={"coding": 0.8})]
    assert first(question, kind="coding") == "a/praised"
    for _ in range(10):
        question.posterior.learn("coding", question.cards[0], 0.0)
    assert first(question, kind="coding") == "b/plain"


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
    question.see("a/good", bad=20)
    after = {c.model: c.terms["success"] for c in question.ask()}
    assert first(question) == "b/plain"
    assert after["a/good"] < before["a/good"] / 3
    assert after["b/plain"] == before["b/plain"]


def test_faster_is_better_and_unseen_small_models_are_taken_to_be_fast(question, make):
    question.cards = [make.card("a/slow"), make.card("b/quick")]
    question.see("a/slow", good=5, seconds=30)
    question.see("b/quick", good=5, seconds=2)
    assert first(question) == "b/quick"
    fresh = Question(cards=[make.card("a/large", tier="frontier"), make.card("b/small", tier="small")])
    fresh.weights = Weights(latency=1)
    assert first(fresh) == "b/small"


@pytest.mark.parametrize("scale", [0.3, 3.0, 30.0])
def test_thrice_the_seconds_cost_the_same_whatever_is_usual(question, scale):
    question.see("a/one", good=30, seconds=scale)
    question.see("b/two", good=30, seconds=3 * scale)
    fast, slow = question.ask()
    assert fast.terms["latency"] - slow.terms["latency"] == pytest.approx(0.158, abs=0.01)


def test_long_answers_do_not_make_a_model_slow(question):
    question.see("a/one", good=10, seconds=20, tokens=1200)
    question.see("b/two", good=10, seconds=10, tokens=300)
    assert first(question) == "a/one"


def test_cheaper_is_better_and_an_unknown_price_counts_as_dear(question, make):
    question.cards = [make.card("a/unknown"), make.card("b/dear"), make.card("c/cheap")]
    question.prices = {"b/dear": make.rates(9.0), "c/cheap": make.rates(0.2)}
    assert [c.model for c in question.ask()] == ["c/cheap", "b/dear", "a/unknown"]


def test_the_cost_is_that_of_this_call_not_of_any(question, make):
    """Much input favours cheap input, much output favours cheap output."""
    flat = make.rates(1.0)
    question.prices = {
        "a/one": flat.model_copy(update={"output": 9.0}),
        "b/two": flat.model_copy(update={"input": 9.0}),
    }
    assert first(question, input_tokens=50_000, max_output_tokens=100) == "a/one"
    assert first(question, input_tokens=100, max_output_tokens=50_000) == "b/two"


def test_an_idle_provider_is_better(question):
    question.conditions = {"load": {"a": 1.0, "b": 0.5}}
    assert first(question) == "b/two"


def test_calls_that_come_at_once_do_not_all_go_to_one_model(question, make):
    """No call has ended yet, and permits abound: what is in flight is all that tells equals apart."""
    question.cards = [make.card(f"{name}/m") for name in "abcd"]
    in_flight: dict[str, int] = {}
    for _ in range(100):
        question.conditions = {"in_flight": in_flight}
        chosen = first(question)
        in_flight[chosen] = in_flight.get(chosen, 0) + 1
    assert in_flight == dict.fromkeys(("a/m", "b/m", "c/m", "d/m"), 25)


@pytest.mark.parametrize(
    ("traits", "fields", "conditions", "reason"),
    [
        ({}, {"models": ("b/two",)}, {}, "not among the models asked for"),
        ({}, {"exclude": ("a/one",)}, {}, "already tried"),
        ({"retired_on": date(2026, 11, 22)}, {}, {}, "retired on 2026-11-22"),
        ({"structured": False}, {"structured": True}, {}, "no structured output"),
        ({"plans": False}, {"plans": True}, {}, "cannot plan"),
        (
            {"context": 5000},
            {"input_tokens": 4000, "max_output_tokens": 2000},
            {},
            "its context window of 5000 tokens is too small",
        ),
        ({}, {"budget_usd": 1.0}, {}, "unknown price under a budget"),
        ({}, {}, {"out": {"a": "out: no money"}}, "out: no money"),
        ({}, {}, {"paused": {"a": "busy with 3 of 3 calls"}}, "busy with 3 of 3 calls"),
        ({}, {}, {"paused": {"a/one": "failed"}}, "failed"),
    ],
)
def test_a_model_that_cannot_be_called_stands_last_with_the_reason(question, make, traits, fields, conditions, reason):
    question.cards = [make.card("a/one", quality={"other": 1.0}, **traits), make.card("b/two", quality={"other": 0.1})]
    question.conditions = conditions
    question.prices = {"b/two": make.rates(1.0)}
    best, last = question.ask(**fields)
    assert (best.model, best.excluded) == ("b/two", None)
    assert (last.model, last.excluded) == ("a/one", reason)
    assert last.terms.keys() == TERMS
    request = LeaseRequest(request_id="r", run_id="run", **fields)
    priced, moment = PricedModel.of(question.cards[0]), Conditions(today=date(2026, 11, 22), **conditions)
    assert exclusion(request, priced, moment) == (None if "paused" in conditions else reason)


def test_a_model_retires_on_its_day_not_before(question, make):
    question.cards = [make.card("a/one", retired_on=date(2026, 11, 23))]
    assert question.ask()[0].excluded is None


def test_when_none_can_be_called_there_is_no_best(question):
    question.conditions = {"paused": {"a": "busy", "b": "busy"}}
    assert question.choice().best is None
    assert [candidate.excluded for candidate in question.ask()] == ["busy", "busy"]


def test_requests_that_differ_in_what_excludes_a_model_have_keys_of_their_own():
    day = date(2026, 11, 22)
    plain = LeaseRequest(request_id="r", run_id="run")
    assert cache_key(plain, day) == cache_key(plain._replace(kind="coding", input_tokens=9), day)
    others = (
        {"models": ("a/b",)},
        {"exclude": ("a/b",)},
        {"structured": True},
        {"plans": True},
        {"budget_usd": 1.0},
    )
    keys = {cache_key(plain._replace(**other), day) for other in others}
    assert len(keys | {cache_key(plain, day), cache_key(plain, date(2026, 11, 23))}) == 7


def test_a_decision_that_travels_shows_nothing(question):
    assert pickle.loads(pickle.dumps(question.choice())).candidates() == ()


@given(draws=st.lists(st.floats(-3, 3), min_size=3, max_size=3), reserved=st.none() | st.floats(0, 10))
def test_a_decision_that_is_read_and_written_again_is_the_same_text(draws, reserved):
    """The journal keeps the text as it was written first, and so does everybody who has read it."""
    question = Question(cards=[ModelCard(provider="p", id=name) for name in ("m", 'a "name"', "\N{SNOWMAN}")])
    question.conditions = {"paused": {"p/m": "busy"}}
    fields = {"attempt_id": "a", "role": "task", "model": "p/m", "provider": "p", "reserved_usd": reserved}
    line = Decision(candidates=question.ask(lambda count: draws[:count]), **fields).line()
    assert parse_event(line).line() == line


@given(
    qualities=st.lists(st.floats(0, 1), min_size=1, max_size=6),
    weights=st.builds(Weights, **dict.fromkeys(TERMS - {"sampled"}, st.floats(0, 10))),
    tried=st.sets(st.integers(0, 5)),
    draws=st.lists(st.floats(-3, 3), min_size=6, max_size=6),
)
def test_the_admissible_ones_come_first_and_sorted(qualities, weights, tried, draws):
    cards = [ModelCard(provider="p", id=str(n), quality={"other": value}) for n, value in enumerate(qualities)]
    question = Question(cards=cards, weights=weights)
    ranked = question.ask(lambda count: draws[:count], exclude=tuple(f"p/{n}" for n in tried))
    assert len(ranked) == len(qualities)
    admissible = [candidate for candidate in ranked if candidate.excluded is None]
    assert ranked[: len(admissible)] == tuple(admissible)
    assert [c.score for c in admissible] == sorted((c.score for c in admissible), reverse=True)
