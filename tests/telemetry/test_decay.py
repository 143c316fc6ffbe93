"""Evidence fades with events and with time, and at once when what it is about has changed."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai3ray.telemetry.decay import ChangeDetector, DecayClock, DecayingSum, DecayRate

HOUR = 3600.0


@pytest.fixture
def decay_clock(clock) -> DecayClock:
    return DecayClock(clock, DecayRate(keep=0.9, half_life_s=HOUR))


def ticks(decay_clock, count):
    for _ in range(count):
        decay_clock.tick()


def test_nothing_fades_at_once(decay_clock):
    evidence = DecayingSum(decay_clock)
    evidence.add(3.0, 2.0)
    evidence.add(1.0)
    assert evidence.sums() == (7.0, 3.0)


def test_what_happens_elsewhere_takes_weight_and_leaves_the_mean(decay_clock):
    evidence = DecayingSum(decay_clock)
    evidence.add(0.5, 10.0)
    ticks(decay_clock, 5)
    total, weight = evidence.sums()
    assert weight == pytest.approx(10 * 0.9**5)
    assert total / weight == pytest.approx(0.5)


def test_half_of_it_is_left_after_its_half_life(decay_clock, clock):
    evidence = DecayingSum(decay_clock)
    evidence.add(1.0, 8.0)
    clock.now += 3 * HOUR
    assert evidence.sums()[1] == pytest.approx(1.0)


def test_a_clock_that_goes_back_gives_nothing_back(decay_clock, clock):
    evidence = DecayingSum(decay_clock)
    evidence.add(1.0, 8.0)
    clock.now -= HOUR
    assert evidence.sums() == (8.0, 8.0)


def test_a_limit_keeps_the_mean(decay_clock):
    evidence = DecayingSum(decay_clock)
    evidence.add(0.25, 40.0)
    evidence.limit(2.0)
    assert evidence.sums() == (0.5, 2.0)
    evidence.limit(9.0)
    assert evidence.sums() == (0.5, 2.0)


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 5), st.floats(0, 2 * HOUR)), max_size=30))
def test_the_mean_lies_between_what_was_seen_and_the_weight_never_exceeds_the_count(seen):
    now = [0.0]
    decay_clock = DecayClock(lambda: now[0], DecayRate(keep=0.9, half_life_s=HOUR))
    evidence = DecayingSum(decay_clock)
    for value, others, seconds in seen:
        ticks(decay_clock, others)
        now[0] += seconds
        evidence.add(value)
    total, weight = evidence.sums()
    assert 0.0 <= weight <= len(seen) + 1e-9
    assert -1e-9 <= total <= weight + 1e-9


def watched(clock) -> ChangeDetector:
    return ChangeDetector(DecayClock(clock, DecayRate(keep=1.0, half_life_s=1e9)), lambda total, weight: 1.0, 5.0)


@pytest.mark.parametrize(("shift", "within"), [(4.0, 6), (2.0, 12), (1.0, 40), (-1.0, 40), (-4.0, 6)])
def test_the_larger_a_change_the_sooner_it_is_noticed_and_what_was_before_is_forgotten(clock, shift, within):
    rng, evidence = Random(1), watched(clock)
    assert not any(evidence.observe(rng.gauss(10.0, 1.0)) for _ in range(200))
    noticed = next(count for count in range(1, 200) if evidence.observe(rng.gauss(10.0 + shift, 1.0)))
    assert noticed <= within
    assert evidence.sums()[1] <= within + 8
    for _ in range(20):
        evidence.observe(rng.gauss(10.0 + shift, 1.0))
    total, weight = evidence.sums()
    assert total / weight == pytest.approx(10.0 + shift, abs=0.9)


def test_chance_is_seldom_taken_for_a_change(clock):
    rng, evidence = Random(2), watched(clock)
    assert sum(evidence.observe(rng.gauss(0.0, 1.0)) for _ in range(10_000)) <= 8


def test_one_wild_observation_is_no_change(clock):
    evidence = watched(clock)
    for _ in range(20):
        evidence.observe(0.0)
    assert not evidence.observe(1000.0)
