"""A run's events over HTTP: following the engine's feed, and framing it as server-sent events.

The frame is `id: <seq>`, `event: <type>`, `data: <one line of JSON>` and an empty line (WHATWG HTML,
"Server-sent events"); deltas carry no id, so a reconnecting reader asks from the last journaled event.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.responses import StreamingResponse

from ai3ray.errors import Ai3Error
from ai3ray.executor.port import Engine, Feed, FeedItem

_log = logging.getLogger("ai3ray.app")

PING = b": ping\n\n"
SSE_HEADERS = {"cache-control": "no-cache, no-transform", "x-accel-buffering": "no"}

Feeds = AsyncGenerator[Feed | None, None]


def frame(item: FeedItem) -> bytes:
    """One event as it goes over the wire."""
    number = "" if item.seq is None else f"id: {item.seq}\n"
    return f"{number}event: {item.type}\ndata: {item.data}\n\n".encode()


async def follow(
    engine: Engine,
    run_id: str,
    after: int = 0,
    *,
    deltas: bool = False,
    silence_s: float | None = None,
    closing: asyncio.Event,
) -> Feeds:
    """A run's feeds until its last event is out or the server closes.

    The next feed is asked for when the last one has been taken, so a slow reader loses deltas and
    never an event.

    Args:
        engine: the engine.
        run_id: the run.
        after: the event to go on after.
        deltas: whether pieces of answers are wanted too.
        silence_s: yield None each time so many seconds pass without an event.
        closing: set when the server is about to leave.
    """
    cursor = 0
    leaving = asyncio.create_task(closing.wait())
    pending: asyncio.Task[Feed] | None = None
    try:
        while True:
            pending = pending or asyncio.create_task(engine.feed(run_id, after, cursor, deltas=deltas))
            await asyncio.wait({pending, leaving}, timeout=silence_s, return_when=asyncio.FIRST_COMPLETED)
            if pending.done():
                feed, pending = pending.result(), None
                cursor = feed.cursor
                after = max((item.seq for item in feed.items if item.seq is not None), default=after)
                yield feed
                if feed.done:
                    return
            elif leaving.done():
                return
            else:
                yield None
    finally:
        await _end(leaving, pending)


async def _end(*tasks: asyncio.Task[Feed] | asyncio.Task[bool] | None) -> None:
    mine = [task for task in tasks if task is not None]
    for task in mine:
        task.cancel()
    await asyncio.gather(*mine, return_exceptions=True)


async def frames(feeds: Feeds) -> AsyncGenerator[bytes, None]:
    """The body of an SSE response; a silence becomes a comment."""
    async with aclosing(feeds):
        try:
            async for feed in feeds:
                chunk = PING if feed is None else b"".join(map(frame, feed.items))
                if chunk:
                    yield chunk
        except Ai3Error as error:
            # The response has begun: an end before `stats` tells the reader to come again.
            _log.warning("a stream of events broke off: %s", error)


def event_stream(feeds: Feeds, headers: dict[str, str] | None = None) -> StreamingResponse:
    """The SSE response of these feeds."""
    return StreamingResponse(frames(feeds), media_type="text/event-stream", headers=SSE_HEADERS | (headers or {}))
