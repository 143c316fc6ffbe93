"""Runs' committed events, with deltas in between."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ai3ray.domain.events import TextDelta, event_type
from ai3ray.executor.deltas import DeltaBuffer
from ai3ray.executor.port import Feed, FeedItem
from ai3ray.journal.port import Journal

LINGER_S = 30.0
"""Seconds that ended runs' deltas stay, for slow readers."""


class RunFeeds:
    """Joins journaled events with deltas from memory."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._running: set[str] = set()
        self._deltas: dict[str, DeltaBuffer] = {}

    def begin(self, run_id: str) -> None:
        """Keep the run's deltas while watched."""
        self._running.add(run_id)

    def end(self, run_id: str) -> None:
        """Drop the run's deltas after LINGER_S."""
        self._running.discard(run_id)
        asyncio.get_running_loop().call_later(LINGER_S, self._deltas.pop, run_id, None)

    def watch(self, run_id: str) -> None:
        """Mark as watched before the first reader connects."""
        self._deltas.setdefault(run_id, DeltaBuffer()).watch()

    def watched(self) -> tuple[str, ...]:
        """Return runs whose deltas have a reader."""
        return tuple(run_id for run_id, buffer in self._deltas.items() if buffer.watched)

    def add(self, delta: TextDelta) -> None:
        """Keep a watched run's delta, after its latest event."""
        buffer = self._deltas.get(delta.run_id)
        if buffer is not None and buffer.watched:
            stamped = delta.model_copy(update={"ts": self._journal.now(delta.run_id)})
            buffer.add(stamped, self._journal.state(delta.run_id).seq)

    async def next(self, run_id: str, after: int, cursor: int, *, deltas: bool) -> Feed:
        """Wait for events past `after` or deltas past `cursor`. Raises UnknownRun."""
        await self._journal.committed_state(run_id)
        if not deltas:
            return self._feed(run_id, after, cursor, await self._journal.tail(run_id, after), None)
        if run_id in self._running:
            buffer = self._deltas.setdefault(run_id, DeltaBuffer())
        else:  # ended a moment ago, or unknown to this core
            buffer = self._deltas.get(run_id) or DeltaBuffer()
        buffer.watch()
        tail = asyncio.ensure_future(self._journal.tail(run_id, after))
        piece = asyncio.ensure_future(buffer.wait(cursor))
        try:
            await asyncio.wait({tail, piece}, return_when=asyncio.FIRST_COMPLETED)
            if not tail.done() and not buffer.after(cursor, after, after):
                await tail  # the delta belongs after an event that is not committed yet
            return self._feed(run_id, after, cursor, tail.result() if tail.done() else (), buffer)
        finally:
            tail.cancel()
            piece.cancel()

    def _feed(self, run_id: str, after: int, cursor: int, lines: Sequence[str], buffer: DeltaBuffer | None) -> Feed:
        events = [FeedItem(type=event_type(line), seq=seq, data=line) for seq, line in enumerate(lines, after + 1)]
        last = after + len(events)
        pieces = buffer.after(cursor, after, last) if buffer is not None else []
        order = [((event.seq or 0, 0), event) for event in events] + [((seq, 1), item) for _, seq, item in pieces]
        order.sort(key=lambda entry: entry[0])
        state = self._journal.state(run_id)
        return Feed(
            items=tuple(item for _, item in order),
            cursor=pieces[-1][0] if pieces else cursor,
            done=state.complete and last >= state.seq,
        )
