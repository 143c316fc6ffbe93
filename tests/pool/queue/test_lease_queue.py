"""The order of waiting requests, and the cost of finding the next one."""

from collections import Counter
from random import Random

from ai3ray.domain.lease import LeaseRequest
from ai3ray.pool.queue.fair_queue import FairQueue
from ai3ray.pool.queue.lease_queue import BATCH_TURN, LeaseQueue, Waiter

A, B, AB = frozenset("a"), frozenset("b"), frozenset("ab")


def always(_: object) -> bool:
    return True


def wait(queue: LeaseQueue, key: str, run: str, models: frozenset[str] = A, **fields: object) -> Waiter:
    waiter = Waiter(LeaseRequest(request_id=key, run_id=run, **fields), models)
    queue.add(waiter)
    return waiter


def served(queue: LeaseQueue, models: frozenset[str] = A, most: int = 100) -> list[str]:
    order = []
    while len(order) < most and (waiter := queue.next(models, always)) is not None:
        order.append(waiter.request.request_id)
    return order


def test_batch_goes_last_but_gets_each_tenth_permit_while_interactive_never_ends():
    queue = LeaseQueue()
    for number in range(200):
        wait(queue, f"i{number}", f"r{number % 3}")
        wait(queue, f"b{number}", "batch", run_class="batch")
    order = served(queue, most=100)
    assert [key[0] for key in order[: BATCH_TURN + 1]] == ["i"] * (BATCH_TURN - 1) + ["b", "i"]
    assert Counter(key[0] for key in order) == {"i": 90, "b": 10}


def test_batch_saves_up_no_turns_while_nothing_of_it_waits():
    queue = LeaseQueue()
    for number in range(30):
        wait(queue, f"i{number}", "r")
    assert served(queue, most=25) == [f"i{number}" for number in range(25)]
    wait(queue, "b", "batch", run_class="batch")
    assert served(queue, most=3) == ["i25", "i26", "i27"]


def test_a_run_is_not_looked_at_again_before_it_is_said_to_have_changed():
    queue = LeaseQueue()
    for key, run in (("w1", "r1"), ("w2", "r1"), ("w3", "r2")):
        wait(queue, key, run)
    asked: list[str] = []

    def not_r1(waiter: Waiter) -> bool:
        asked.append(waiter.request.request_id)
        return waiter.request.run_id != "r1"

    first = queue.next(A, not_r1)
    assert first is not None
    assert first.request.request_id == "w3"
    assert queue.next(A, not_r1) is None
    assert asked == ["w1", "w3"]
    queue.recheck("r1")
    assert served(queue) == ["w1", "w2"]


def test_a_run_keeps_its_turn_when_what_it_wants_cannot_be_had():
    queue = LeaseQueue()
    for key, run, models in (("w1", "r1", A), ("w2", "r2", B), ("w3", "r3", AB)):
        wait(queue, key, run, models)
    assert served(queue, B, most=1) == ["w2"]
    assert served(queue, AB) == ["w1", "w3"]


def test_a_request_whose_models_change_keeps_its_place():
    queue = LeaseQueue()
    early, late = wait(queue, "w1", "r1", B), wait(queue, "w2", "r1", A)
    queue.update(early, Waiter(early.request, A))
    assert served(queue) == ["w1", "w2"]
    assert late.models == A


def test_what_ends_something_goes_first_whatever_models_it_wants():
    queue = LeaseQueue()
    wait(queue, "task", "r1", A)
    wait(queue, "judge", "r1", B, role="judge")
    assert served(queue, AB) == ["judge", "task"]


def test_a_withdrawn_request_and_a_dropped_run_leave_no_trace():
    queue = LeaseQueue()
    for number in range(100):
        wait(queue, f"w{number}", f"r{number % 2}", A if number % 4 else B)
    for number in range(0, 100, 2):
        queue.remove(f"w{number}")
    queue.remove_run("r1")
    assert len(queue) == 0
    assert served(queue, AB) == []
    assert not any(fair_queue._runs for fair_queue in queue._queues.values())


def test_finding_the_next_one_asks_as_few_among_thousands_as_among_ten():
    """All runs but one are at their limits: each of them is asked once, and then no more."""
    for runs in (10, 3000):
        fair_queue: FairQueue[str] = FairQueue()
        for number in range(runs):
            fair_queue.add(f"r{number}", f"w{number}", A, f"r{number}", first=False)
        asked = 0

        def free(item: str, last: str = f"r{runs - 1}") -> bool:
            nonlocal asked
            asked += 1
            return item == last

        assert fair_queue.next(A, free) == f"r{runs - 1}"
        asked = 0
        for number in range(50):
            fair_queue.add(f"r{runs - 1}", f"x{number}", A, f"r{runs - 1}", first=False)
            assert fair_queue.next(A, free)
        assert asked == 50


def test_a_heap_does_not_grow_with_what_came_and_went():
    fair_queue: FairQueue[str] = FairQueue()
    fair_queue.add("stays", "stays", A, "stays", first=False)
    for number in range(10_000):
        fair_queue.add("goes", f"w{number}", A, "", first=False)
        fair_queue.remove("goes", f"w{number}", A, first=False)
    assert len(fair_queue._heaps[A]) < 100


def test_it_serves_in_the_order_of_a_plain_list_whatever_happens():
    """Compare with a naive implementation: runs in turn, within a run by arrival, follow-up calls first."""
    random = Random(5)
    queue, turns, plain, number = LeaseQueue(), [], {}, 0
    for _ in range(3000):
        what = random.random()
        if what < 0.5:
            run, models = f"r{random.randrange(6)}", random.choice([A, B, AB])
            role = random.choice(["task", "task", "judge"])
            number += 1
            wait(queue, f"w{number}", run, models, role=role)
            plain[f"w{number}"] = (run, models, role)
            if run not in turns:
                turns.append(run)
        elif what < 0.6 and plain:
            key = random.choice(sorted(plain))
            queue.remove(key)
            run = plain.pop(key)[0]
            if all(other[0] != run for other in plain.values()):
                turns.remove(run)
        else:
            models = random.choice([A, B, AB])
            expected = None
            for run in turns:
                eligible = [key for key, (of, want, _) in plain.items() if of == run and want & models]
                if eligible:
                    follow_ups = [key for key in eligible if plain[key][2] == "judge"]
                    expected = (follow_ups or eligible)[0]
                    break
            waiter = queue.next(models, always)
            assert (waiter.request.request_id if waiter else None) == expected
            if expected is not None:
                run = plain.pop(expected)[0]
                turns.remove(run)
                if any(other[0] == run for other in plain.values()):
                    turns.append(run)
