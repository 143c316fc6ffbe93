"""Wishes that have to wait, in the order in which they are served."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import get_args

from ai3ray.domain.call import Role
from ai3ray.domain.request import RunClass
from ai3ray.pool.lease import LeaseRequest

ENDING: frozenset[Role] = frozenset({"judge", "repair", "assemble"})
"""What a call of these roles works on has begun already."""


@dataclass
class Waiter:
    """One wish and the models that may still answer it."""

    request: LeaseRequest
    models: frozenset[str]


class WaitingRoom:
    """`interactive` before `batch`; the runs of a class in turn; first come, first served within a run.

    Within a run, calls that end what has begun go first: answers are committed, and what depends on them
    begins, while other tasks still wait for their first call.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, Waiter] = {}
        self._lines: dict[RunClass, OrderedDict[str, OrderedDict[str, Waiter]]] = {
            run_class: OrderedDict() for run_class in get_args(RunClass)
        }

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Waiter]:
        return iter(tuple(self._waiting.values()))

    def add(self, waiter: Waiter) -> None:
        """Let a wish wait behind the others of its run."""
        request = waiter.request
        self._waiting[request.request_id] = waiter
        self._lines[request.run_class].setdefault(request.run_id, OrderedDict())[request.request_id] = waiter

    def remove(self, request_id: str) -> Waiter | None:
        """Let it wait no longer; its run keeps its turn."""
        waiter = self._waiting.pop(request_id, None)
        if waiter is not None:
            line = self._lines[waiter.request.run_class]
            own = line[waiter.request.run_id]
            del own[request_id]
            if not own:
                del line[waiter.request.run_id]
        return waiter

    def remove_run(self, run_id: str) -> None:
        """Let nothing of this run wait any longer."""
        for line in self._lines.values():
            for request_id in line.pop(run_id, ()):
                del self._waiting[request_id]

    def next(self, ready: Callable[[Waiter], bool]) -> Waiter | None:
        """Take out the next wish that can be served; its run goes to the end of the line.

        Args:
            ready: whether a wish can be served now.
        """
        for line in self._lines.values():
            for run_id, own in line.items():
                waiter = _first(own.values(), ready)
                if waiter is not None:
                    line.move_to_end(run_id)
                    self.remove(waiter.request.request_id)
                    return waiter
        return None


def _first(line: Iterable[Waiter], ready: Callable[[Waiter], bool]) -> Waiter | None:
    """The next of one run: the first that ends what has begun, else the first."""
    first: Waiter | None = None
    for waiter in line:
        if (first is None or waiter.request.role in ENDING) and ready(waiter):
            if waiter.request.role in ENDING:
                return waiter
            first = waiter
    return first
