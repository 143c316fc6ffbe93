"""A line of runs with what waits in each: finds the next one in time that does not grow with their number."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass, field
from itertools import count
from typing import Generic, TypeVar

T = TypeVar("T")
ModelNames = frozenset[str]
"""The models that may answer."""
_STALE_ENTRIES = 64


@dataclass
class _Queue(Generic[T]):
    """Those of one run that want the same models, in the order of their arrival."""

    first: dict[str, tuple[int, T]] = field(default_factory=dict)
    """They go before the others."""
    others: dict[str, tuple[int, T]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.first or self.others)

    def side(self, *, first: bool) -> dict[str, tuple[int, T]]:
        return self.first if first else self.others


@dataclass
class _Run(Generic[T]):
    """One run of the line."""

    turn: int
    """The lowest turn is served next."""
    queues: dict[ModelNames, _Queue[T]] = field(default_factory=dict)
    entries: dict[ModelNames, int] = field(default_factory=dict)
    """Which entry of the heap speaks for the run, by what is wanted."""


class FairQueue(Generic[T]):
    """Runs are served in turn. There is a heap of runs for each set of models that somebody waits for.

    A run whose next one was found not to be ready leaves its heap until it is looked at again, so that a
    thousand runs at their limits are not asked each time. Entries that have been overtaken by events stay in a
    heap until they come up.
    """

    def __init__(self) -> None:
        self._runs: dict[str, _Run[T]] = {}
        self._heaps: dict[ModelNames, list[tuple[int, int, str]]] = {}
        self._numbers = count()

    def __bool__(self) -> bool:
        return bool(self._runs)

    def add(self, run_id: str, key: str, want: ModelNames, item: T, *, first: bool) -> None:
        """Let something wait.

        Args:
            run_id: its run, which goes to the end of the line when it is new there.
            key: its name, unique in the line.
            want: the models that may answer it.
            item: what waits.
            first: it goes before those of its run that are not `first`.
        """
        run = self._runs.get(run_id)
        if run is None:
            run = self._runs[run_id] = _Run(next(self._numbers))
        run.queues.setdefault(want, _Queue()).side(first=first)[key] = (next(self._numbers), item)
        if want not in run.entries:
            self._register(run_id, run, want)

    def remove(self, run_id: str, key: str, want: ModelNames, *, first: bool) -> None:
        """Let it wait no longer; its run keeps its turn."""
        run = self._runs[run_id]
        del run.queues[want].side(first=first)[key]
        self._drop_empty(run_id, run, want)

    def remove_run(self, run_id: str) -> Iterable[str]:
        """Let nothing of a run wait any longer. Returns what did."""
        run = self._runs.pop(run_id, None)
        queues = run.queues.values() if run is not None else ()
        return [key for queue in queues for key in (*queue.first, *queue.others)]

    def of_run(self, run_id: str) -> list[T]:
        """What waits in one run."""
        run = self._runs.get(run_id)
        queues = run.queues.values() if run is not None else ()
        return [item for queue in queues for _, item in (*queue.first.values(), *queue.others.values())]

    def move(self, run_id: str, key: str, want: ModelNames, other: ModelNames, *, first: bool) -> None:
        """Other models may answer it from now on; it keeps its place."""
        run = self._runs[run_id]
        number, item = run.queues[want].side(first=first).pop(key)
        side = run.queues.setdefault(other, _Queue()).side(first=first)
        late = not side or next(reversed(side.values()))[0] < number
        side[key] = (number, item)
        if not late:
            ordered = sorted(side.items(), key=lambda one: one[1][0])
            side.clear()
            side.update(ordered)
        if other not in run.entries:
            self._register(run_id, run, other)
        self._drop_empty(run_id, run, want)

    def recheck(self, run_id: str | None = None) -> None:
        """What was not ready may be by now."""
        for name in (run_id,) if run_id is not None else tuple(self._runs):
            run = self._runs.get(name)
            if run is not None and len(run.entries) < len(run.queues):
                for want in run.queues.keys() - run.entries.keys():
                    self._register(name, run, want)

    def next(self, models: Set[str], ready: Callable[[T], bool]) -> T | None:
        """Take out the next one; its run goes to the end of the line.

        Args:
            models: one of these has to be wanted.
            ready: whether it can be served; only the next one of each run is asked.
        """
        while (found := self._next_run(models)) is not None:
            run_id, want = found
            run = self._runs[run_id]
            chosen, first, key = self._next_of_run(run, models)
            item = run.queues[chosen].side(first=first)[key][1]
            if ready(item):
                run.turn = next(self._numbers)
                run.entries.clear()
                self.remove(run_id, key, chosen, first=first)
                self.recheck(run_id)
                return item
            heapq.heappop(self._heaps[want])
            del run.entries[want]
        return None

    def _next_run(self, models: Set[str]) -> tuple[str, ModelNames] | None:
        """The run whose turn it is, of those that want one of these models."""
        best: tuple[int, int, str] | None = None
        for want in tuple(self._heaps):
            if want.isdisjoint(models):
                continue
            heap = self._heaps[want]
            while heap and not self._is_current(heap[0], want):
                heapq.heappop(heap)
            if not heap:
                del self._heaps[want]
            elif best is None or heap[0] < best:
                best, chosen = heap[0], want
        return (best[2], chosen) if best is not None else None

    def _is_current(self, entry: tuple[int, int, str], want: ModelNames) -> bool:
        """Whether an entry of a heap still stands for its run."""
        run = self._runs.get(entry[2])
        return run is not None and run.entries.get(want) == entry[1]

    def _next_of_run(self, run: _Run[T], models: Set[str]) -> tuple[ModelNames, bool, str]:
        """The one of a run that is served next."""
        best: tuple[bool, int] | None = None
        for wanted, queue in run.queues.items():
            if wanted.isdisjoint(models):
                continue
            for first in (True, False):
                name = next(iter(queue.side(first=first)), None)
                if name is not None:
                    rank = (not first, queue.side(first=first)[name][0])
                    if best is None or rank < best:
                        best, want, key = rank, wanted, name
        assert best is not None, "the run is listed under a set of models that it does not wait for"
        return want, not best[0], key

    def _register(self, run_id: str, run: _Run[T], want: ModelNames) -> None:
        heap = self._heaps.setdefault(want, [])
        if len(heap) > _STALE_ENTRIES + 2 * len(self._runs):
            heap[:] = [entry for entry in heap if self._is_current(entry, want)]
            heapq.heapify(heap)
        run.entries[want] = next(self._numbers)
        heapq.heappush(heap, (run.turn, run.entries[want], run_id))

    def _drop_empty(self, run_id: str, run: _Run[T], want: ModelNames) -> None:
        """Forget what is empty."""
        if not run.queues[want]:
            del run.queues[want]
            run.entries.pop(want, None)
        if not run.queues:
            del self._runs[run_id]
