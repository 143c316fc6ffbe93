"""Live figures fade, and are exact where they can be."""

import pytest

from ai3ray.telemetry.fading import Memory, Pulse
from ai3ray.telemetry.live import WINDOW, LiveStats
from ai3ray.telemetry.pace import Drift, Pace

MEMORY = Memory()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def live(clock: Clock) -> LiveStats:
    pulse = Pulse(clock, MEMORY)
    return LiveStats(pulse, Pace(pulse, Drift(pulse), "standard"))


def observe(stats: LiveStats, outcomes: list[bool | None], seconds: float = 1.0, cost: float | None = None) -> None:
    for success in outcomes:
        stats.begin()
        stats.end(success=success, seconds=seconds, cost_usd=cost)


def test_an_unseen_model_is_taken_to_be_good(clock):
    stats = live(clock)
    assert stats.success == pytest.approx(0.95)
    assert stats.share is None
    assert stats.quantile(0.5) is None


def test_twenty_failures_are_visible_and_twenty_successes_mend_them(clock):
    stats = live(clock)
    observe(stats, [False] * 20)
    assert stats.success < 0.3
    low = stats.success
    observe(stats, [True] * 20)
    assert stats.success > 2 * low


def test_failures_lose_weight_with_time_so_that_the_model_is_tried_again(clock):
    stats = live(clock)
    observe(stats, [False] * 20)
    seen = []
    for _ in range(6):
        seen.append(stats.success)
        clock.now += MEMORY.half_life_s
    assert seen == sorted(seen)
    assert seen[-1] > 0.7


def test_what_has_faded_stays_faded_when_the_next_outcome_comes(clock):
    stats = live(clock)
    observe(stats, [False] * 20)
    clock.now += 10 * MEMORY.half_life_s
    observe(stats, [True])
    assert stats.success > 0.9


def test_an_outcome_that_says_nothing_of_the_model_changes_only_the_count(clock):
    stats = live(clock)
    observe(stats, [None] * 50)
    assert (stats.calls, stats.share, stats.success) == (50, None, pytest.approx(0.95))


def test_quantiles_are_of_the_last_window_of_successes(clock):
    stats = live(clock)
    observe(stats, [True] * 10, seconds=99)
    observe(stats, [False] * 10, seconds=5000)
    for second in range(WINDOW):
        observe(stats, [True], seconds=float(second))
    assert stats.quantile(0.5) == WINDOW // 2
    assert stats.quantile(0.95) == int(0.95 * WINDOW)
    assert stats.quantile(1.0) == WINDOW - 1


def test_calls_in_flight_and_costs_are_counted(clock):
    stats = live(clock)
    stats.begin()
    stats.begin()
    assert stats.in_flight == 2
    stats.end(success=True, cost_usd=0.5)
    stats.end(success=False, cost_usd=None)
    assert (stats.in_flight, stats.calls, stats.cost_usd, stats.share) == (0, 2, 0.5, 0.5)


def test_what_the_journal_knows_is_shown_in_full_but_weighs_little(clock):
    stats = live(clock)
    stats.warm(calls=1000, success=0.0, p50_s=3.0, cost_usd=2.0)
    assert (stats.calls, stats.share, stats.quantile(0.5), stats.cost_usd) == (1000, 0.0, 3.0, 2.0)
    observe(stats, [True] * 5)
    assert stats.success > 0.6
