"""What is counted of an allowance, in virtual time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai3ray.simulator.limits.limit_meters import GrowthLimit, RefillingBucket, RequestSpacing


def test_a_bucket_starts_full_and_fills_continuously():
    bucket = RefillingBucket(60, now=0.0)
    bucket.take(0.0, 60)
    assert bucket.wait_s(0.0, 1) == pytest.approx(1.0)
    assert bucket.left(0.5) == pytest.approx(0.5)
    assert bucket.wait_s(1.0, 1) == 0
    assert bucket.reset_s(1.0) == pytest.approx(59.0)


def test_a_burst_may_be_a_second_long():
    bucket = RefillingBucket(600, now=0.0, burst_s=1.0)
    bucket.take(0.0, 10)
    assert bucket.wait_s(0.0, 1) == pytest.approx(0.1)
    assert bucket.left(100.0) == 10


def test_what_is_larger_than_the_bucket_waits_until_it_is_full_and_leaves_a_debt():
    bucket = RefillingBucket(600, now=0.0)
    assert bucket.wait_s(0.0, 900) == 0
    bucket.take(0.0, 900)
    assert bucket.left(0.0) == 0
    assert bucket.wait_s(0.0, 1) == pytest.approx(30.1)


def test_another_allowance_keeps_what_was_used():
    bucket = RefillingBucket(100, now=0.0)
    bucket.take(0.0, 90)
    bucket.change(0.0, 25)
    assert (bucket.left(0.0), bucket.per_minute) == (10, 25)
    bucket.change(0.0, 1000)
    assert bucket.left(0.0) == 10


def test_a_clock_that_stands_still_brings_nothing():
    bucket = RefillingBucket(60, now=5.0)
    bucket.take(5.0, 60)
    assert bucket.left(4.0) == bucket.left(5.0) == 0


@pytest.mark.parametrize(("per_minute", "most", "length_s"), [(600, 10, 1.0), (90, 1, 2 / 3), (6, 1, 10.0)])
def test_a_window_lets_no_burst_through(per_minute, most, length_s):
    window = RequestSpacing(per_minute)
    for _ in range(most):
        assert window.wait_s(0.0, 1) == 0
        window.take(0.0, 1)
    assert window.left(0.0) == 0
    assert window.wait_s(0.0, 1) == pytest.approx(length_s)
    assert window.wait_s(length_s, 1) == 0


@given(st.lists(st.floats(0.001, 0.4), min_size=1, max_size=200), st.integers(60, 1200))
def test_no_stretch_sees_more_than_its_share_of_the_minute(steps, per_minute):
    """Whole requests fit a second only where 60 divides the allowance: 148 are two in every 0.81 s."""
    window, now, taken = RequestSpacing(per_minute), 0.0, []
    for step in steps:
        now += step
        if window.wait_s(now, 1) == 0:
            window.take(now, 1)
            taken.append(now)
    most = per_minute // 60
    for start in taken:
        assert sum(start <= moment < start + 0.99 * most * 60 / per_minute for moment in taken) <= most


@given(st.lists(st.tuples(st.floats(0.0, 20.0), st.integers(1, 50)), min_size=1, max_size=100))
def test_no_minute_sees_more_than_the_bucket_and_what_flows_into_it(steps):
    bucket, now, taken = RefillingBucket(100, 0.0), 0.0, []
    for step, amount in steps:
        now += step
        if bucket.wait_s(now, amount) == 0:
            bucket.take(now, amount)
            taken.append((now, amount))
    for start, _ in taken:
        assert sum(amount for moment, amount in taken if start <= moment < start + 60) <= 200


def _use(growth, start, minutes, per_minute):
    """Try to use so much in each of some minutes, in sixty steps; returns what each got."""
    got = []
    for minute in range(minutes):
        used = 0
        for second in range(60):
            now = start + 60 * minute + second
            if growth.wait_s(now, per_minute / 60) == 0:
                growth.take(now, per_minute / 60)
                used += per_minute / 60
        got.append(used)
    return got


def test_use_grows_by_half_per_window_and_not_faster():
    growth = GrowthLimit(floor=1000, growth=0.5, window_s=900, now=0.0)
    steady = _use(growth, 0.0, 15, 5000)
    assert min(steady[1:]) == pytest.approx(1000, rel=0.1)
    later = _use(growth, 900.0, 15, 5000)
    assert growth.allowed == 1500
    assert min(later[1:]) == pytest.approx(1500, rel=0.1)


def test_after_a_window_of_silence_growth_begins_anew():
    growth = GrowthLimit(floor=1000, growth=0.5, window_s=900, now=0.0)
    _use(growth, 0.0, 15, 5000)
    assert growth.wait_s(900.0, 1) == 0
    assert growth.allowed == 1500
    assert growth.wait_s(4000.0, 1) == 0
    assert growth.allowed == 1000


def test_below_the_floor_nothing_is_held_back():
    growth = GrowthLimit(floor=1000, growth=0.0, window_s=60, now=0.0)
    assert _use(growth, 0.0, 5, 900) == [pytest.approx(900)] * 5
