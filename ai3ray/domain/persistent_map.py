"""A persistent append-only mapping; versions share one log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class _Log(Generic[K, V]):
    """All entries of the mappings that were derived from one another."""

    def __init__(self, items: Mapping[K, V]) -> None:
        self.entries = list(items.items())
        self.latest = dict(items)


class PersistentMap(Mapping[K, V]):
    """An immutable mapping that is extended without being copied.

    The states of a run share one log, of which each version sees a prefix. The newest version looks keys up directly;
    an earlier one builds its own dictionary when it is first read. One thread adds, any thread may read.
    """

    __slots__ = ("_length", "_log", "_view")

    def __init__(self, items: Mapping[K, V] | _Log[K, V] | None = None) -> None:
        self._log = items if isinstance(items, _Log) else _Log[K, V](items or {})
        self._length = len(self._log.entries)
        self._view: Mapping[K, V] | None = None

    def plus(self, key: K, value: V) -> PersistentMap[K, V]:
        """Return the mapping with this entry added or replaced."""
        log = self._log if self._newest() else _Log(self._seen())
        log.entries.append((key, value))
        log.latest[key] = value
        return PersistentMap(log)

    def __getitem__(self, key: K) -> V:
        if self._newest():
            value = self._log.latest[key]
            if self._newest():  # checked again: `plus` appends to the log before it replaces a value
                return value
        return self._seen()[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._seen())

    def __len__(self) -> int:
        return len(self._seen())

    def __repr__(self) -> str:
        return f"PersistentMap({dict(self._seen())!r})"

    def _newest(self) -> bool:
        return self._length == len(self._log.entries)

    def _seen(self) -> Mapping[K, V]:
        if self._view is None:
            self._view = dict(self._log.entries[: self._length])
        return self._view
