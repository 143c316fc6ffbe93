"""Wishes that have to wait, in the order in which they are served."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass
from typing import get_args

from ai3ray.domain.call import Role
from ai3ray.domain.lease import LeaseRequest
from ai3ray.domain.request import RunClass
from ai3ray.pool.budget.ledger import Quote
from ai3ray.pool.queue.fair_queue import FairQueue

FOLLOW_UP_ROLES: frozenset[Role] = frozenset({"judge", "repair", "assemble"})
"""What a call of these roles works on has begun already."""
BATCH_TURN = 10
"""Each so-manieth permit goes to `batch` while both classes wait: it is served last, but never starves."""


@dataclass
class Waiter:
    """One request and the models that may still answer it."""

    request: LeaseRequest
    models: frozenset[str]
    eligible: frozenset[str] = frozenset()
    """Those that could, if money were no matter; only where there is a budget."""
    floor: Quote | None = None
    """The least that such a call costs; None where there is no budget."""
    unpaid: bool = False
    """It waits for money that calls in flight hold."""

    @property
    def follows_up(self) -> bool:
        """It ends what has begun."""
        return self.request.role in FOLLOW_UP_ROLES


class LeaseQueue:
    """`interactive` before `batch`; the runs of a class in turn; first come, first served within a run.

    Within a run, calls that end what has begun go first: answers are committed, and what depends on them
    begins, while other tasks still wait for their first call. While requests of both classes wait, each tenth
    permit goes to `batch` all the same.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, Waiter] = {}
        self._queues: dict[RunClass, FairQueue[Waiter]] = {run_class: FairQueue() for run_class in get_args(RunClass)}
        self._batch_waits = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Waiter]:
        return iter(tuple(self._waiting.values()))

    def add(self, waiter: Waiter) -> None:
        """Let a lease request wait behind the others of its run."""
        request = waiter.request
        self._waiting[request.request_id] = waiter
        fair_queue = self._queues[request.run_class]
        fair_queue.add(request.run_id, request.request_id, waiter.models, waiter, first=waiter.follows_up)

    def remove(self, request_id: str) -> Waiter | None:
        """Let it wait no longer; its run keeps its turn."""
        waiter = self._waiting.pop(request_id, None)
        if waiter is not None:
            request = waiter.request
            self._queues[request.run_class].remove(request.run_id, request_id, waiter.models, first=waiter.follows_up)
        return waiter

    def remove_run(self, run_id: str) -> None:
        """Let nothing of this run wait any longer."""
        for fair_queue in self._queues.values():
            for request_id in fair_queue.remove_run(run_id):
                del self._waiting[request_id]

    def recheck(self, run_id: str | None = None) -> None:
        """What was not ready may be by now: in this run, in every run when absent."""
        for fair_queue in self._queues.values():
            fair_queue.recheck(run_id)

    def of_run(self, run_id: str) -> list[Waiter]:
        """Those of one run."""
        return [waiter for fair_queue in self._queues.values() for waiter in fair_queue.of_run(run_id)]

    def update(self, waiter: Waiter, again: Waiter) -> None:
        """Things have changed for a lease request; it keeps its place.

        Args:
            waiter: the request as it waits.
            again: the same, as things are now.
        """
        request = waiter.request
        if again.models != waiter.models:
            fair_queue = self._queues[request.run_class]
            fair_queue.move(request.run_id, request.request_id, waiter.models, again.models, first=waiter.follows_up)
        waiter.models, waiter.eligible, waiter.floor, waiter.unpaid = (
            again.models,
            again.eligible,
            again.floor,
            again.unpaid,
        )

    def next(self, models: Set[str], ready: Callable[[Waiter], bool]) -> Waiter | None:
        """Take out the next request that can be served; its run goes to the end of the line.

        Args:
            models: those that can be called now.
            ready: whether nothing else is against a lease request. Where it says no, the request is not looked at again
                before `look_again`.
        """
        first, last = self._queues["interactive"], self._queues["batch"]
        both = bool(first) and bool(last)
        turned = both and self._batch_waits >= BATCH_TURN - 1
        for fair_queue in (last, first) if turned else (first, last):
            waiter = fair_queue.next(models, ready)
            if waiter is not None:
                self._batch_waits = self._batch_waits + 1 if both and fair_queue is first else 0
                del self._waiting[waiter.request.request_id]
                return waiter
        return None
