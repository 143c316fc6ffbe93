"""How often a key may ask, in a minute that is made up."""

from __future__ import annotations

from ai3ray.executor.request_rate_limit import WINDOW_S, RequestRateLimit, until_midnight_s


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_no_minute_wherever_it_begins_holds_more_than_the_limit():
    clock = Clock()
    rate_limit = RequestRateLimit(clock)
    entered = []
    for _ in range(1000):
        if rate_limit.wait_s("a", 7) == 0.0:
            entered.append(clock.now)
        clock.now += 1.3
    assert all(sum(begin <= at < begin + WINDOW_S for at in entered) <= 7 for begin in entered)
    assert len(entered) >= 7 * 1000 * 1.3 / WINDOW_S * 0.95  # and hardly less than was allowed


def test_whoever_waits_as_long_as_told_is_let_in_and_a_moment_earlier_is_not():
    clock = Clock()
    rate_limit = RequestRateLimit(clock)
    for _ in range(3):
        assert rate_limit.wait_s("a", 3) == 0.0
        clock.now += 5
    wait = rate_limit.wait_s("a", 3)
    assert wait == 45.0
    clock.now += wait - 0.01
    assert 0 < rate_limit.wait_s("a", 3) < 0.02
    clock.now += 0.01
    assert rate_limit.wait_s("a", 3) == 0.0


def test_callers_do_not_count_for_each_other_and_refusals_for_nobody():
    clock = Clock()
    rate_limit = RequestRateLimit(clock)
    assert rate_limit.wait_s("a", 1) == 0.0
    for _ in range(50):
        assert rate_limit.wait_s("a", 1) == WINDOW_S
    assert rate_limit.wait_s("b", 1) == 0.0


def test_a_limit_that_is_lowered_counts_at_once():
    clock = Clock()
    rate_limit = RequestRateLimit(clock)
    for _ in range(10):
        rate_limit.wait_s("a", 10)
    clock.now += 1
    assert rate_limit.wait_s("a", 2) == WINDOW_S - 1


def test_a_day_ends_within_a_day():
    assert 0 < until_midnight_s() <= 24 * 3600
