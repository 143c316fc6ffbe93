"""A fair queue: runs take turns."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass, field
from itertools import count
from typing import Generic, TypeVar

T = TypeVar("T")
ModelNames = frozenset[str]
"""As `provider/model`."""
_EXTRA_ENTRIES = 64


@dataclass
class _Group(Generic[T]):
    """One run's items for the same models, with arrival numbers."""

    first: dict[str, tuple[int, T]] = field(default_factory=dict)
    others: dict[str, tuple[int, T]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.first or self.others)

    def part(self, *, first: bool) -> dict[str, tuple[int, T]]:
        return self.first if first else self.others


@dataclass
class _Run(Generic[T]):
    turn: int
    """The lowest is served next."""
    groups: dict[ModelNames, _Group[T]] = field(default_factory=dict)
    entries: dict[ModelNames, int] = field(default_factory=dict)
    """Turns of the valid heap entries; none where the item was not ready."""


class FairQueue(Generic[T]):
    """A queue of runs, with one heap of runs per awaited set of models.

    A run leaves a heap while its next item is not ready, and returns with `recheck`, so runs at their limits are not
    examined each time. Outdated entries stay until they reach the top.
    """

    def __init__(self) -> None:
        self._runs: dict[str, _Run[T]] = {}
        self._heaps: dict[ModelNames, list[tuple[int, int, str]]] = {}
        self._numbers = count()

    def __bool__(self) -> bool:
        return bool(self._runs)

    def add(self, run_id: str, key: str, models: ModelNames, item: T, *, first: bool) -> None:
        """Add an item, before its run's others if `first`; a new run joins the end."""
        run = self._runs.get(run_id)
        if run is None:
            run = self._runs[run_id] = _Run(next(self._numbers))
        run.groups.setdefault(models, _Group()).part(first=first)[key] = (next(self._numbers), item)
        if models not in run.entries:
            self._enter(run_id, run, models)

    def remove(self, run_id: str, key: str, models: ModelNames, *, first: bool) -> None:
        """Remove an item; its run keeps its turn."""
        run = self._runs[run_id]
        del run.groups[models].part(first=first)[key]
        self._drop_empty(run_id, run, models)

    def remove_run(self, run_id: str) -> Iterable[str]:
        """Remove a run's items and return their keys."""
        run = self._runs.pop(run_id, None)
        groups = run.groups.values() if run is not None else ()
        return [key for group in groups for key in (*group.first, *group.others)]

    def of_run(self, run_id: str) -> list[T]:
        """Return a run's items."""
        run = self._runs.get(run_id)
        groups = run.groups.values() if run is not None else ()
        return [item for group in groups for _, item in (*group.first.values(), *group.others.values())]

    def move(self, run_id: str, key: str, models: ModelNames, others: ModelNames, *, first: bool) -> None:
        """Change an item's models; it keeps its place."""
        run = self._runs[run_id]
        # 1. Take the item out of its group, with its number of arrival.
        number, item = run.groups[models].part(first=first).pop(key)
        # 2. Add it to the other group, in the order of arrival.
        part = run.groups.setdefault(others, _Group()).part(first=first)
        latest = not part or next(reversed(part.values()))[0] < number
        part[key] = (number, item)
        if not latest:
            ordered = sorted(part.items(), key=lambda entry: entry[1][0])
            part.clear()
            part.update(ordered)
        # 3. Bring the heaps up to date.
        if others not in run.entries:
            self._enter(run_id, run, others)
        self._drop_empty(run_id, run, models)

    def recheck(self, run_id: str | None = None) -> None:
        """Reconsider the unready items of one run, or of all."""
        for name in (run_id,) if run_id is not None else tuple(self._runs):
            run = self._runs.get(name)
            if run is not None and len(run.entries) < len(run.groups):
                for models in run.groups.keys() - run.entries.keys():
                    self._enter(name, run, models)

    def next(self, models: Set[str], ready: Callable[[T], bool]) -> T | None:
        """Remove and return the next item for one of these models; its run goes last.

        Only each run's next item is checked with `ready`.
        """
        # 1. Find the run whose turn it is, among those with an item for one of these models.
        while (found := self._next_run(models)) is not None:
            run_id, listed = found
            run = self._runs[run_id]
            # 2. Find that run's next item, in whichever group it is.
            group, first, key = self._next_of_run(run, models)
            item = run.groups[group].part(first=first)[key][1]
            if ready(item):
                # 3. Serve it: the run gets a new turn, and new entries in its heaps.
                run.turn = next(self._numbers)
                run.entries.clear()
                self.remove(run_id, key, group, first=first)
                self.recheck(run_id)
                return item
            # 4. It is not ready: the run leaves this heap until `recheck`, and the next run is asked.
            heapq.heappop(self._heaps[listed])
            del run.entries[listed]
        return None

    def _next_run(self, models: Set[str]) -> tuple[str, ModelNames] | None:
        """Return the run with the lowest turn, and its heap."""
        best: tuple[int, int, str] | None = None
        for names in tuple(self._heaps):
            if names.isdisjoint(models):
                continue
            heap = self._heaps[names]
            while heap and not self._is_current(heap[0], names):
                heapq.heappop(heap)
            if not heap:
                del self._heaps[names]
            elif best is None or heap[0] < best:
                best, chosen = heap[0], names
        return (best[2], chosen) if best is not None else None

    def _is_current(self, entry: tuple[int, int, str], models: ModelNames) -> bool:
        run = self._runs.get(entry[2])
        return run is not None and run.entries.get(models) == entry[1]

    def _next_of_run(self, run: _Run[T], models: Set[str]) -> tuple[ModelNames, bool, str]:
        """Return group, part and key of the run's next item."""
        best: tuple[bool, int] | None = None
        for names, group in run.groups.items():
            if names.isdisjoint(models):
                continue
            for first in (True, False):
                key = next(iter(group.part(first=first)), None)
                if key is not None:
                    rank = (not first, group.part(first=first)[key][0])
                    if best is None or rank < best:
                        best, chosen, name = rank, names, key
        assert best is not None, "the run has a heap entry for models that none of its items waits for"
        return chosen, not best[0], name

    def _enter(self, run_id: str, run: _Run[T], models: ModelNames) -> None:
        heap = self._heaps.setdefault(models, [])
        if len(heap) > _EXTRA_ENTRIES + 2 * len(self._runs):
            heap[:] = [entry for entry in heap if self._is_current(entry, models)]
            heapq.heapify(heap)
        run.entries[models] = next(self._numbers)
        heapq.heappush(heap, (run.turn, run.entries[models], run_id))

    def _drop_empty(self, run_id: str, run: _Run[T], models: ModelNames) -> None:
        if not run.groups[models]:
            del run.groups[models]
            run.entries.pop(models, None)
        if not run.groups:
            del self._runs[run_id]
