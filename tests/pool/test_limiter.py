"""How many calls one account may have in flight, in virtual time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai3ray.pool.limiter import DEBOUNCE_S, Limiter


def fill(limiter: Limiter) -> None:
    while not limiter.full:
        limiter.take()


def window(limiter: Limiter, now: float = 0.0) -> None:
    """As many clean replies as the limit allows calls, every one with all permits out."""
    for _ in range(limiter.limit):
        fill(limiter)
        limiter.clean(now)
        limiter.give_back()


@pytest.mark.parametrize(("ceiling", "start", "expected"), [(100, None, 20), (3, None, 3), (100, 7, 7), (5, 50, 5)])
def test_it_starts_at_the_start_but_not_above_the_ceiling(ceiling, start, expected):
    assert Limiter(ceiling, start).limit == expected


def test_it_doubles_per_clean_window_until_the_first_429_and_never_exceeds_the_ceiling():
    limiter = Limiter(100)
    seen = []
    for _ in range(4):
        window(limiter)
        seen.append(limiter.limit)
    assert seen == [40, 80, 100, 100]


def test_half_a_window_does_not_grow_it():
    limiter = Limiter(100, 10)
    fill(limiter)
    for _ in range(9):
        limiter.clean(0.0)
    assert limiter.limit == 10
    limiter.clean(0.0)
    assert limiter.limit == 20


def test_what_was_never_used_does_not_grow_until_somebody_is_held_up_by_it():
    limiter = Limiter(100, 10)
    for _ in range(50):
        limiter.take()
        limiter.clean(0.0)
        limiter.give_back()
    assert limiter.limit == 10
    for _ in range(10):
        limiter.take()
    assert limiter.limit == 20
    fill(limiter)
    assert limiter.limit == 20


def test_a_429_leaves_four_fifths_once_per_episode_of_fifteen_seconds():
    limiter = Limiter(100, 50)
    for now in (0.0, 0.1, DEBOUNCE_S - 0.1):
        limiter.limited(now, None)
    assert limiter.limit == 40
    limiter.limited(DEBOUNCE_S, None)
    assert limiter.limit == 32


def test_retry_after_makes_the_episode_longer():
    limiter = Limiter(100, 50)
    limiter.limited(0.0, 60.0)
    limiter.limited(59.0, None)
    assert limiter.limit == 40
    limiter.limited(60.0, None)
    assert limiter.limit == 32


def test_a_longer_retry_after_within_an_episode_extends_it():
    limiter = Limiter(100, 50)
    limiter.limited(0.0, None)
    limiter.limited(10.0, 30.0)
    limiter.limited(39.0, None)
    assert limiter.limit == 40


def test_after_the_first_429_a_clean_window_adds_a_twentieth():
    limiter = Limiter(1000, 100)
    limiter.limited(0.0, None)
    seen = []
    for _ in range(3):
        window(limiter, now=DEBOUNCE_S)
        seen.append(limiter.limit)
    assert seen == [84, 88, 92]


def test_replies_within_an_episode_say_nothing():
    limiter = Limiter(1000, 100)
    limiter.limited(0.0, None)
    for _ in range(5):
        window(limiter, now=DEBOUNCE_S - 0.001)
    assert limiter.limit == 80


def test_a_fault_of_the_provider_pauses_growth_and_cuts_nothing():
    limiter = Limiter(100, 10)
    fill(limiter)
    for _ in range(9):
        limiter.clean(0.0)
    limiter.fault()
    limiter.clean(0.0)
    assert limiter.limit == 10
    window(limiter)
    assert limiter.limit == 20


def test_another_ceiling_holds_at_once_and_what_was_found_out_is_kept():
    limiter = Limiter(100, 20)
    window(limiter)
    limiter.configure(8, None)
    assert limiter.limit == 8
    limiter.configure(100, None)
    assert limiter.limit == 40


def test_another_start_counts_while_nothing_was_found_out():
    limiter = Limiter(100, 10)
    limiter.configure(100, 30)
    assert limiter.limit == 30
    limiter.limited(0.0, None)
    limiter.configure(100, 60)
    assert limiter.limit == 24


@given(
    ceiling=st.integers(1, 50),
    start=st.integers(1, 50),
    story=st.lists(st.tuples(st.sampled_from(["window", "clean", "fault", "429", "wait"]), st.floats(0, 40))),
)
def test_whatever_happens_it_stays_between_one_and_the_ceiling(ceiling, start, story):
    limiter, now = Limiter(ceiling, start), 0.0
    for what, seconds in story:
        match what:
            case "window":
                window(limiter, now)
            case "clean":
                limiter.clean(now)
            case "fault":
                limiter.fault()
            case "429":
                limiter.limited(now, seconds)
            case "wait":
                now += seconds
        assert 1 <= limiter.limit <= ceiling
