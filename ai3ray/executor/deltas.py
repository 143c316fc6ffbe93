"""Answers in pieces: bounded, never journaled."""

from __future__ import annotations

import asyncio
from collections import deque

from ai3ray.domain.events import TextDelta
from ai3ray.executor.port import FeedItem

DELTAS_KEPT = 4096
"""Per run; slower readers miss the oldest."""
WATCH_S = 30.0
"""Seconds for which a reader's request counts."""


class DeltaBuffer:
    """One run's latest deltas, each with the event before it."""

    def __init__(self) -> None:
        self._items: deque[tuple[int, int, FeedItem]] = deque(maxlen=DELTAS_KEPT)
        self._next = 1
        self._arrived = asyncio.Event()
        self._watched_until = 0.0

    @property
    def watched(self) -> bool:
        """Return whether deltas have a reader."""
        return asyncio.get_running_loop().time() < self._watched_until

    def watch(self) -> None:
        """Mark the run as watched for WATCH_S."""
        self._watched_until = asyncio.get_running_loop().time() + WATCH_S

    def add(self, delta: TextDelta, after_seq: int) -> None:
        """Keep a delta that followed event `after_seq`."""
        item = FeedItem(type=delta.type, seq=None, data=delta.line())
        self._items.append((self._next, after_seq, item))
        self._next += 1
        self._arrived.set()

    def after(self, cursor: int, seen: int, committed: int) -> list[tuple[int, int, FeedItem]]:
        """Return a reader's next deltas, as (number, number of the event before it, item).

        Args:
            cursor: the reader's last delta; 0 at first.
            seen: the reader's last event; earlier deltas are skipped.
            committed: the answer's last event; later deltas wait.
        """
        ready = []
        for number, seq, item in self._items:
            if number > cursor and seq >= seen:
                if seq > committed:
                    break
                ready.append((number, seq, item))
        return ready

    async def wait(self, cursor: int) -> None:
        """Wait for a delta past `cursor`."""
        while self._next - 1 <= cursor:
            self._arrived.clear()
            await self._arrived.wait()
