"""What the clients of both vendors' SDKs have in common."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from ai3ray.domain.call import Timeouts

if TYPE_CHECKING:
    import httpx2

Client = TypeVar("Client")

MAX_CONNECTIONS = 1000
"""Sockets per account at most; how many calls are in flight is the pool's business."""
KEEPALIVE_S = 4.0
"""How long an idle connection is kept: less than the 5 s after which common servers close theirs, because a
request sent into a connection that is being closed is lost, and cannot be known to be unpaid."""
MARGIN_S = 5.0
"""How much later than our clocks the SDK's own run out: they are only the outer bound."""


class LazyClient(Generic[Client]):
    """Makes a client when it is first asked for, in a thread: importing an SDK takes up to three seconds."""

    def __init__(self, make: Callable[[], Client]) -> None:
        self._make = make
        self._lock = asyncio.Lock()
        self.made: Client | None = None

    async def get(self) -> Client:
        """The client; made once, however many ask."""
        async with self._lock:
            if self.made is None:
                self.made = await asyncio.to_thread(self._make)
            return self.made


def connection_limits(*, reused: bool = True) -> httpx2.Limits:
    """Numbers, all of them: without one the aiohttp transport falls back to 100 connections.

    Args:
        reused: false for servers that close a connection behind a stream without a word, as llama.cpp's does.
    """
    import httpx2

    return httpx2.Limits(
        max_connections=MAX_CONNECTIONS,
        max_keepalive_connections=MAX_CONNECTIONS,
        keepalive_expiry=KEEPALIVE_S if reused else 0.0,
    )


def transport_timeouts(timeouts: Timeouts) -> httpx2.Timeout:
    """The call's clocks as the transport's: the connect limit as it is, the others as an outer bound."""
    import httpx2

    return httpx2.Timeout(timeouts.total_s + MARGIN_S, connect=timeouts.connect_s, pool=None)
