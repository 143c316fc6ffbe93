"""Small forms of the benches, in virtual time: limits as vendors count them, and a small run beside a large one."""

from __future__ import annotations

import statistics
from collections import deque
from random import Random

import pytest

from ai3ray.domain.lease import Lease, LeaseRequest, Settlement
from tests.bench.bench_limits import measure
from tests.bench.virtual import Clock, InspectRules


@pytest.mark.parametrize(("vendor", "bound"), [("anthropic", "tokens"), ("openai", "requests"), ("xai", "requests")])
def test_an_account_is_used_up_and_its_limits_are_followed_down_and_up(vendor, bound):
    row = measure(vendor, bound, "pool", minutes=4.0, seed=3)
    assert row.used >= 0.98
    assert row.refused <= 0.002
    assert not row.late
    assert row.back >= 0.95


def test_a_semaphore_alone_is_refused_all_the_time():
    """The world does refuse: what the pool avoids is there to be met."""
    row = measure("openai", "requests", "semaphore", minutes=4.0, seed=3)
    assert row.refused > 0.1
    assert row.late > 100


def test_the_rules_of_adaptive_connections_are_told_right():
    rules = InspectRules(100)
    for _ in range(20):
        rules.clean(0.0, rules.limit)
    assert rules.limit == 40
    rules.limited(0.0, 1.0)
    rules.limited(14.0, 1.0)
    assert rules.limit == 30  # four fifths of forty, rounded down to fives
    for _ in range(30):
        rules.clean(16.0, rules.limit)
    assert rules.limit == 35


class Crowd:
    """Runs on one provider of a pool in virtual time: each task is one call of about a second."""

    def __init__(self, world, permits: int, seed: int) -> None:
        self.here = world({"a": permits}, rates={"start": permits})
        self.clock = Clock()
        self.random = Random(seed)
        self.left: dict[str, int] = {}
        self.ended: dict[str, float] = {}

    def submit(self, run: str, tasks: int) -> None:
        self.left[run] = tasks
        for _ in range(tasks):
            self.take(self.here.lease(run))

    def take(self, answer: object) -> None:
        if isinstance(answer, Lease):
            self.clock.at(self.clock.now + self.random.lognormvariate(0, 0.3), lambda: self.end(answer))

    def end(self, lease: Lease) -> None:
        self.here.now = 1000.0 + self.clock.now
        self.left[lease.run_id] -= 1
        if not self.left[lease.run_id]:
            self.ended[lease.run_id] = self.clock.now
        for answer in self.here.succeed(lease).grants:
            self.take(answer)


def seconds_alone(world, permits: int, tasks: int, seed: int) -> float:
    crowd = Crowd(world, permits, seed)
    crowd.submit("small", tasks)
    crowd.clock.run(1000.0)
    return crowd.ended["small"]


def seconds_beside(world, permits: int, tasks: int, large: int, seed: int) -> float:
    crowd = Crowd(world, permits, seed)
    crowd.submit("large", large)
    crowd.clock.run(3.0)
    crowd.here.now = 1003.0
    crowd.submit("small", tasks)
    crowd.clock.run(1000.0)
    assert crowd.ended["large"] > crowd.ended["small"]
    return crowd.ended["small"] - 3.0


def test_ten_tasks_beside_two_hundred_take_half_as_long_again_as_alone_at_half_the_permits(world):
    ratios = [seconds_beside(world, 8, 10, 200, seed) / seconds_alone(world, 4, 10, seed) for seed in range(20)]
    assert statistics.median(ratios) <= 1.5


def test_a_batch_run_gets_its_tenth_beside_an_interactive_one_that_never_ends(world):
    pool = world({"a": 4})
    held = deque(pool.take("busy") for _ in range(4))
    for number in range(300):
        pool.lease("busy" if number % 2 else "idle", run_class="interactive" if number % 2 else "batch")
    served = []
    for _ in range(100):
        (grant,) = pool.succeed(held.popleft()).grants
        served.append(grant.run_id)
        held.append(grant)
    assert served.count("idle") == 10


def test_permits_leases_and_waiters_leave_nothing_behind(world):
    """A thousand calls in all kinds of endings: what the pool keeps does not grow with them."""
    pool, random = world({"a": 3, "b": 3}), Random(2)
    held: deque[Lease] = deque()
    for number in range(1000):
        answer = pool.lease(f"r{number % 7}", models=("a/m1",) if number % 3 else ())
        held += [answer] if isinstance(answer, Lease) else []
        if len(held) > 4 or (random.random() < 0.5 and held):
            lease = held.popleft()
            kind = random.choice(["succeeded", "cancelled", "lost"])
            ended = Settlement(attempt_id=lease.attempt_id, token=lease.token, status=kind)
            held += [grant for grant in pool.pool.settle(ended).grants if isinstance(grant, Lease)]
    while held:
        held += [grant for grant in pool.succeed(held.popleft()).grants if isinstance(grant, Lease)]
    inside = pool.pool
    assert (len(inside._leases), len(inside._queue), len(inside._in_flight)) == (0, 0, 0)
    assert all(view.in_flight == 0 for view in inside.snapshot().providers)


def test_a_request_is_not_served_before_its_run_has_room_however_often_others_are(world):
    pool = world({"a": 10})
    first = pool.take("small", run_limit=1)
    waiting = LeaseRequest(request_id="late", run_id="small", run_limit=1)
    assert pool.pool.lease(waiting) is None
    for _ in range(50):
        assert pool.succeed(pool.take("other")).grants == ()
    (grant,) = pool.succeed(first).grants
    assert grant.request_id == "late"
