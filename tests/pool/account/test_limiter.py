"""How many calls one account may have in flight, in virtual time."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai3ray.pool.account.limiter import DEBOUNCE_S, PATIENCE, Limiter


def fill(limiter: Limiter) -> None:
    while not limiter.full:
        limiter.acquire()


def window(limiter: Limiter, now: float = 0.0) -> None:
    """As many clean replies as the limit allows calls, every one with all permits out."""
    for _ in range(limiter.limit):
        fill(limiter)
        limiter.succeeded(now)
        limiter.release()


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
        limiter.succeeded(0.0)
    assert limiter.limit == 10
    limiter.succeeded(0.0)
    assert limiter.limit == 20


def test_what_was_never_used_does_not_grow_until_somebody_is_held_up_by_it():
    limiter = Limiter(100, 10)
    for _ in range(50):
        limiter.acquire()
        limiter.succeeded(0.0)
        limiter.release()
    assert limiter.limit == 10
    for _ in range(10):
        limiter.acquire()
    assert limiter.limit == 20
    fill(limiter)
    assert limiter.limit == 20


def test_a_429_leaves_four_fifths_once_per_episode_of_fifteen_seconds():
    limiter = Limiter(100, 50)
    for now in (0.0, 0.1, DEBOUNCE_S - 0.1):
        limiter.rate_limited(now, None)
    assert limiter.limit == 40
    limiter.rate_limited(DEBOUNCE_S, None)
    assert limiter.limit == 32


def test_retry_after_makes_the_episode_longer():
    limiter = Limiter(100, 50)
    limiter.rate_limited(0.0, 60.0)
    limiter.rate_limited(59.0, None)
    assert limiter.limit == 40
    limiter.rate_limited(60.0, None)
    assert limiter.limit == 32


def test_a_longer_retry_after_within_an_episode_extends_it():
    limiter = Limiter(100, 50)
    limiter.rate_limited(0.0, None)
    limiter.rate_limited(10.0, 30.0)
    limiter.rate_limited(39.0, None)
    assert limiter.limit == 40


@pytest.mark.parametrize(("start", "expected"), [(100, [84, 88, 92]), (5, [5, 6, 7])])
def test_after_the_first_429_a_clean_window_adds_a_twentieth_one_at_least(start, expected):
    limiter = Limiter(1000, start)
    limiter.rate_limited(0.0, None)
    seen = []
    for _ in range(3):
        window(limiter, now=DEBOUNCE_S)
        seen.append(limiter.limit)
    assert seen == expected


def test_replies_within_an_episode_say_nothing():
    limiter = Limiter(1000, 100)
    limiter.rate_limited(0.0, None)
    for _ in range(5):
        window(limiter, now=DEBOUNCE_S - 0.001)
    assert limiter.limit == 80


class Wall:
    """An account that refuses whatever is above its wall, and tells nobody where that is."""

    def __init__(self, wall: int, ceiling: int = 1000, start: int = 20) -> None:
        self.wall = wall
        self.limiter = Limiter(ceiling, start)
        self.now = 0.0
        self.seen: list[int] = []
        self.refused: list[int] = []
        """The windows in which a call was."""

    def windows(self, count: int, seconds: float = 5.0) -> None:
        """So many windows with more work than permits."""
        for _ in range(count):
            self.seen.append(self.limiter.limit)
            for _ in range(self.limiter.limit):
                fill(self.limiter)
                if self.limiter.in_flight > self.wall:
                    self.refused.append(len(self.seen))
                    self.limiter.rate_limited(self.now, None)
                    break
                self.limiter.succeeded(self.now)
                self.limiter.release()
            while self.limiter.in_flight:
                self.limiter.release()
            self.now += seconds


def test_after_an_episode_it_is_back_at_what_had_proved_to_hold():
    account = Wall(100)
    account.windows(30)
    assert account.seen[13:] == [85, 89, 94, 99, 104, 83, 83, 83, 99, 99, 100, 84, 84, 84, 100, 100, 100]


def test_one_more_is_tried_ever_more_rarely_and_costs_nothing_but_itself():
    account = Wall(100)
    account.windows(300)
    trials = account.refused[-4:]
    assert account.limiter.limit in {100, 101}
    assert min(account.seen[trials[0] :]) == 100
    assert all(PATIENCE <= later - earlier <= PATIENCE + 5 for earlier, later in itertools.pairwise(trials))


def test_a_wall_that_moves_up_is_found_and_followed():
    account = Wall(40)
    account.windows(200)
    account.wall = 160
    account.windows(PATIENCE + 50)
    assert max(account.seen[200:]) >= 150


def test_a_wall_that_comes_down_cuts_until_it_holds():
    account = Wall(100)
    account.windows(200)
    account.wall = 30
    account.windows(40)
    assert 28 <= account.limiter.limit <= 31
    account.windows(200)
    assert sum(account.seen[-100:]) >= 0.97 * 30 * 100


def test_a_limit_far_above_the_calls_in_flight_is_cut_to_what_was_too_much():
    limiter = Limiter(1000, 20)
    window(limiter)
    window(limiter)
    assert limiter.limit == 80
    while limiter.in_flight < 50:
        limiter.acquire()
    limiter.rate_limited(0.0, None)
    assert limiter.limit == 40


def test_when_what_held_is_refused_the_next_episodes_go_by_the_plain_rules():
    """So it is where requests a minute are limited and nobody tells: what holds now does not a moment later."""
    limiter, times = Limiter(1000, 50), itertools.count(0.0, DEBOUNCE_S)
    limiter.rate_limited(next(times), None)
    window(limiter, now=next(times))
    held = limiter.limit
    limiter.rate_limited(next(times), None)
    now = next(times)
    limiter.succeeded(now)
    assert limiter.limit == held - 2  # what had a clean window: growth added two
    limiter.rate_limited(now, None)
    window(limiter, now=next(times))
    limiter.rate_limited(next(times), None)
    cut = limiter.limit
    limiter.succeeded(next(times))
    assert limiter.limit == cut < held - 2


@settings(deadline=None)
@given(wall=st.integers(1, 200), start=st.integers(1, 200), seconds=st.floats(1.0, 60.0))
def test_any_wall_is_used_to_the_full_and_seldom_run_against(wall, start, seconds):
    account = Wall(wall, start=start)
    account.windows(500, seconds)
    latest = account.seen[300:]
    assert sum(min(limit, wall) for limit in latest) >= 0.97 * wall * len(latest)
    assert sum(window > 300 for window in account.refused) <= 10


def test_a_fault_of_the_provider_pauses_growth_and_cuts_nothing():
    limiter = Limiter(100, 10)
    fill(limiter)
    for _ in range(9):
        limiter.succeeded(0.0)
    limiter.failed()
    limiter.succeeded(0.0)
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
    limiter.rate_limited(0.0, None)
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
                limiter.succeeded(now)
            case "fault":
                limiter.failed()
            case "429":
                limiter.rate_limited(now, seconds)
            case "wait":
                now += seconds
        assert 1 <= limiter.limit <= ceiling
