"""A run's events as server-sent events.

The frame is `id: <seq>`, `event: <type>`, `data: <one line of JSON>` and an empty line (WHATWG HTML,
"Server-sent events"). Deltas carry no id, so a reader that reconnects continues after the last journaled event.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.responses import StreamingResponse

from ai3ray.errors import Ai3Error
from ai3ray.executor.port import Feed, FeedItem, RunRecords

_log = logging.getLogger("ai3ray.app")

PING = b": ping\n\n"
SSE_HEADERS = {"cache-control": "no-cache, no-transform", "x-accel-buffering": "no"}

Feeds = AsyncGenerator[Feed | None, None]


def frame(item: FeedItem) -> bytes:
    """Return one event in its wire form."""
    number = "" if item.seq is None else f"id: {item.seq}\n"
    return f"{number}event: {item.type}\ndata: {item.data}\n\n".encode()


async def follow(
    engine: RunRecords,
    run_id: str,
    after: int = 0,
    *,
    deltas: bool = False,
    silence_s: float | None = None,
    closing: asyncio.Event,
) -> Feeds:
    """Yield a run's feeds until the run or the server ends.

    Each feed is requested when the one before it is consumed, so a slow reader loses deltas but never an event.

    Args:
        engine: holds the run.
        run_id: the run's id.
        after: the `seq` to continue after.
        deltas: include pieces of answers.
        silence_s: seconds without an event after which None is yielded.
        closing: set when the server is about to stop.
    """
    cursor = 0
    stopping = asyncio.create_task(closing.wait())
    pending: asyncio.Task[Feed] | None = None
    try:
        while True:
            pending = pending or asyncio.create_task(engine.feed(run_id, after, cursor, deltas=deltas))
            await asyncio.wait({pending, stopping}, timeout=silence_s, return_when=asyncio.FIRST_COMPLETED)
            if pending.done():
                feed, pending = pending.result(), None
                cursor = feed.cursor
                after = max((item.seq for item in feed.items if item.seq is not None), default=after)
                yield feed
                if feed.done:
                    return
            elif stopping.done():
                return
            else:
                yield None
    finally:
        tasks = [stopping, pending] if pending is not None else [stopping]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def frames(feeds: Feeds) -> AsyncGenerator[bytes, None]:
    """Yield the body of an SSE response, with a comment for each silence."""
    async with aclosing(feeds):
        try:
            async for feed in feeds:
                chunk = PING if feed is None else b"".join(map(frame, feed.items))
                if chunk:
                    yield chunk
        except Ai3Error as error:
            # The status is already sent; a stream that ends before `stats` makes the reader reconnect.
            _log.warning("an event stream ended early: %s", error)


def event_stream(feeds: Feeds, headers: dict[str, str] | None = None) -> StreamingResponse:
    """Return the SSE response of these feeds."""
    return StreamingResponse(frames(feeds), media_type="text/event-stream", headers=SSE_HEADERS | (headers or {}))
