"""How fast a model is, whatever it writes and whatever the others do."""

import pytest

from ai3ray.telemetry.decay import DecayClock, DecayRate
from ai3ray.telemetry.pace import Drift, ModelPace, usual_seconds


@pytest.fixture
def decay_clock(clock) -> DecayClock:
    return DecayClock(clock, DecayRate(keep=0.98, half_life_s=600.0))


@pytest.fixture
def drift(decay_clock) -> Drift:
    return Drift(decay_clock)


@pytest.fixture
def model(decay_clock, drift):
    def model(tier="standard") -> ModelPace:
        return ModelPace(decay_clock, drift, tier)

    return model


def took(decay_clock, pace, slower, count=1, tokens=600):
    for _ in range(count):
        decay_clock.tick()
        pace.observe(slower * usual_seconds(tokens), tokens)


def test_before_a_call_the_tier_tells(model):
    small, standard, frontier = (model(tier).belief().doublings for tier in ("small", "standard", "frontier"))
    assert small < standard < frontier


def test_short_and_long_answers_tell_the_same(decay_clock, model):
    short, long = model(), model()
    took(decay_clock, short, 2.0, 20, tokens=30)
    took(decay_clock, long, 2.0, 20, tokens=3000)
    assert short.belief().doublings == pytest.approx(1.0, abs=0.05)
    assert long.belief().doublings == pytest.approx(1.0, abs=0.05)


def test_calls_make_it_surer(decay_clock, model):
    pace = model()
    before = pace.belief().deviation
    took(decay_clock, pace, 1.0, 20)
    assert pace.belief().deviation < before / 3


def test_five_slow_calls_are_enough_to_see_that_it_is_slow(decay_clock, model):
    pace = model()
    took(decay_clock, pace, 1.0, 40)
    took(decay_clock, pace, 3.0, 5)
    assert pace.belief().doublings > 1.0


def test_a_slow_model_that_is_not_called_is_taken_to_be_as_the_others_are(decay_clock, model):
    slow, fast = model(), model()
    took(decay_clock, slow, 4.0, 20)
    took(decay_clock, fast, 0.5, 20)
    assert slow.belief().doublings > 1.5
    took(decay_clock, fast, 0.5, 200)
    assert slow.belief().doublings < 0.0
    assert slow.belief().deviation > 5 * fast.belief().deviation


def test_on_a_fast_network_a_model_never_called_is_expected_to_be_fast_too(decay_clock, drift, model):
    took(decay_clock, model("standard"), 0.1, 30)
    assert drift.unseen("standard").doublings == pytest.approx(-3.3, abs=0.3)
    assert drift.unseen("frontier").doublings > drift.unseen("standard").doublings


def test_a_call_without_duration_says_nothing(decay_clock, drift, model):
    pace = model()
    before = pace.belief()
    pace.observe(0.0, 600)
    assert pace.belief() == before
