"""Waiting lease requests, in serving order."""

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
"""Calls that finish work that has begun."""
BATCH_TURN = 10
"""While both classes wait, every tenth permit goes to `batch`."""


@dataclass
class Waiter:
    """A waiting request and the models that may answer it."""

    request: LeaseRequest
    models: frozenset[str]
    eligible: frozenset[str] = frozenset()
    """The models that could answer with enough money; empty without a budget."""
    floor: Quote | None = None
    """The least that such a call costs; None without a budget."""
    needs_settlement: bool = False
    """True while calls in flight hold its money."""

    @property
    def follows_up(self) -> bool:
        """True for FOLLOW_UP_ROLES."""
        return self.request.role in FOLLOW_UP_ROLES


class LeaseQueue:
    """The waiting requests: `interactive` before `batch`, runs in turn, then by arrival.

    Within a run, calls that finish work go first, so dependents can begin.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, Waiter] = {}
        self._queues: dict[RunClass, FairQueue[Waiter]] = {run_class: FairQueue() for run_class in get_args(RunClass)}
        self._interactive_turns = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Waiter]:
        return iter(tuple(self._waiting.values()))

    def add(self, waiter: Waiter) -> None:
        """Add a request behind its run's others."""
        request = waiter.request
        self._waiting[request.request_id] = waiter
        fair_queue = self._queues[request.run_class]
        fair_queue.add(request.run_id, request.request_id, waiter.models, waiter, first=waiter.follows_up)

    def remove(self, request_id: str) -> Waiter | None:
        """Remove and return a request; its run keeps its turn."""
        waiter = self._waiting.pop(request_id, None)
        if waiter is not None:
            request = waiter.request
            self._queues[request.run_class].remove(request.run_id, request_id, waiter.models, first=waiter.follows_up)
        return waiter

    def remove_run(self, run_id: str) -> None:
        """Remove a run's requests."""
        for fair_queue in self._queues.values():
            for request_id in fair_queue.remove_run(run_id):
                del self._waiting[request_id]

    def recheck(self, run_id: str | None = None) -> None:
        """Reconsider the unready requests of one run, or of all."""
        for fair_queue in self._queues.values():
            fair_queue.recheck(run_id)

    def of_run(self, run_id: str) -> list[Waiter]:
        """Return a run's requests."""
        return [waiter for fair_queue in self._queues.values() for waiter in fair_queue.of_run(run_id)]

    def update(self, waiter: Waiter, now: Waiter) -> None:
        """Replace a request's evaluation, in its place."""
        request = waiter.request
        if now.models != waiter.models:
            fair_queue = self._queues[request.run_class]
            fair_queue.move(request.run_id, request.request_id, waiter.models, now.models, first=waiter.follows_up)
        waiter.models, waiter.eligible, waiter.floor = now.models, now.eligible, now.floor
        waiter.needs_settlement = now.needs_settlement

    def next(self, models: Set[str], ready: Callable[[Waiter], bool]) -> Waiter | None:
        """Remove and return the next request for one of these models; its run goes last.

        Requests that are not `ready` are skipped until `recheck`.
        """
        interactive, batch = self._queues["interactive"], self._queues["batch"]
        both = bool(interactive) and bool(batch)
        batch_first = both and self._interactive_turns >= BATCH_TURN - 1
        for fair_queue in (batch, interactive) if batch_first else (interactive, batch):
            waiter = fair_queue.next(models, ready)
            if waiter is not None:
                self._interactive_turns = self._interactive_turns + 1 if both and fair_queue is interactive else 0
                del self._waiting[waiter.request.request_id]
                return waiter
        return None
