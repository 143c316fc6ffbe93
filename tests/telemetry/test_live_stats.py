"""Live figures fade, and are exact where they can be."""

import pytest

from ai3ray.domain.call import Usage
from ai3ray.telemetry.decay import DecayRate
from ai3ray.telemetry.live_stats import TRAFFIC, WINDOW, LiveStats, ModelStats

HALF_LIFE_S = 600.0


@pytest.fixture
def book(clock) -> LiveStats:
    return LiveStats(clock, DecayRate(keep=0.98, half_life_s=HALF_LIFE_S))


@pytest.fixture
def stats(book) -> ModelStats:
    return book.of("a/one")


def observe(
    stats: ModelStats, outcomes: list[bool | None], seconds: float = 1.0, cost: float | None = None, tokens: int = 0
) -> None:
    for success in outcomes:
        stats.begin()
        usage = Usage(input_tokens=tokens // 2, output_tokens=tokens - tokens // 2) if tokens else None
        stats.end(success=success, seconds=seconds, cost_usd=cost, usage=usage)


def test_an_unseen_model_is_taken_to_be_good(stats):
    assert stats.success == pytest.approx(0.95)
    assert stats.share is None
    assert stats.quantile(0.5) is None


def test_twenty_failures_are_visible_and_twenty_successes_mend_them(stats):
    observe(stats, [False] * 20)
    assert stats.success < 0.3
    low = stats.success
    observe(stats, [True] * 20)
    assert stats.success > 2 * low


def test_failures_lose_weight_with_time_so_that_the_model_is_tried_again(stats, clock):
    observe(stats, [False] * 20)
    seen = []
    for _ in range(6):
        seen.append(stats.success)
        clock.now += HALF_LIFE_S
    assert seen == sorted(seen)
    assert seen[-1] > 0.7


def test_failures_lose_weight_while_other_models_work(book, stats):
    observe(stats, [False] * 20)
    low = stats.success
    observe(book.of("b/two"), [True] * 200)
    assert low < 0.3
    assert stats.success > 0.85


def test_what_has_faded_stays_faded_when_the_next_outcome_comes(stats, clock):
    observe(stats, [False] * 20)
    clock.now += 10 * HALF_LIFE_S
    observe(stats, [True])
    assert stats.success > 0.9


def test_an_outcome_that_says_nothing_of_the_model_changes_only_the_count(book, stats):
    observe(book.of("b/two"), [False] * 20)
    low = book.of("b/two").success
    observe(stats, [None] * 50)
    assert (stats.calls, stats.share, stats.success) == (50, None, pytest.approx(0.95))
    assert book.of("b/two").success == low


def test_quantiles_are_of_the_last_window_of_successes(stats):
    observe(stats, [True] * 10, seconds=99)
    observe(stats, [False] * 10, seconds=5000)
    for second in range(WINDOW):
        observe(stats, [True], seconds=float(second))
    assert stats.quantile(0.5) == WINDOW // 2
    assert stats.quantile(0.95) == int(0.95 * WINDOW)
    assert stats.quantile(1.0) == WINDOW - 1


def test_calls_in_flight_and_costs_are_counted(stats):
    stats.begin()
    stats.begin()
    assert stats.in_flight == 2
    stats.end(success=True, cost_usd=0.5)
    stats.end(success=False, cost_usd=None)
    assert (stats.in_flight, stats.calls, stats.cost_usd, stats.share) == (0, 2, 0.5, 0.5)


def test_the_cost_of_a_thousand_tokens_is_that_of_the_calls_whose_cost_is_known(stats):
    assert stats.cost_per_1k_tokens is None
    observe(stats, [True], cost=0.02, tokens=4000)
    observe(stats, [True], cost=None, tokens=90_000)
    assert stats.cost_per_1k_tokens == pytest.approx(0.005)


def test_what_the_journal_knows_is_shown_in_full_but_weighs_little(stats):
    stats.warm(calls=1000, success=0.0, p50_s=3.0, cost_usd=2.0, input_tokens=500_000, output_tokens=500_000)
    assert (stats.calls, stats.share, stats.quantile(0.5), stats.cost_usd) == (1000, 0.0, 3.0, 2.0)
    assert stats.cost_per_1k_tokens == pytest.approx(0.002)
    observe(stats, [True] * 5)
    assert stats.success > 0.6


def test_a_model_is_in_the_book_from_its_first_call_on(book):
    assert (list(book), book.get("a/one"), book.in_flight) == ([], None, {})
    book.call_began("a/one")
    book.of("b/two")
    assert (set(book), book.in_flight) == ({"a/one", "b/two"}, {"a/one": 1})
    book.call_ended("a/one", success=True, seconds=1.0, cost_usd=None, usage=None)
    assert (set(book), book.in_flight) == ({"a/one", "b/two"}, {})


def test_the_traffic_is_that_of_the_latest_calls(book):
    assert book.traffic("a/one") is None
    book.load_traffic(["a/one"] * 150)
    for _ in range(50):
        book.count_traffic("b/two")
    assert (book.traffic("a/one"), book.traffic("b/two"), book.traffic("c/three")) == (0.75, 0.25, 0.0)
    for _ in range(TRAFFIC):
        book.count_traffic("b/two")
    assert (book.traffic("a/one"), book.traffic("b/two")) == (0.0, 1.0)
