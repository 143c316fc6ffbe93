"""Parts that the clients of both vendors' SDKs share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from ai3ray.domain.call import Timeouts

if TYPE_CHECKING:
    import httpx2

SdkClient = TypeVar("SdkClient")

MAX_CONNECTIONS = 1000
KEEPALIVE_S = 4.0
"""Less than the 5 s of common servers; a request sent into a closing connection is lost, and may be billed."""
MARGIN_S = 5.0
"""The transport's timeouts are only an outer bound of the call's own."""


class LazyClient(Generic[SdkClient]):
    """A client made at first use, in a thread, because importing an SDK takes up to three seconds."""

    def __init__(self, make: Callable[[], SdkClient]) -> None:
        self._make = make
        self._lock = asyncio.Lock()
        self.made: SdkClient | None = None

    async def get(self) -> SdkClient:
        """Return the client; concurrent first callers share one."""
        async with self._lock:
            if self.made is None:
                self.made = await asyncio.to_thread(self._make)
            return self.made


def connection_limits(*, keep_alive: bool = True) -> httpx2.Limits:
    """Return explicit limits; without numbers the aiohttp transport falls back to 100 connections.

    Args:
        keep_alive: false for servers that close a connection silently behind a stream, as llama.cpp's does.
    """
    import httpx2

    return httpx2.Limits(
        max_connections=MAX_CONNECTIONS,
        max_keepalive_connections=MAX_CONNECTIONS,
        keepalive_expiry=KEEPALIVE_S if keep_alive else 0.0,
    )


def transport_timeouts(timeouts: Timeouts) -> httpx2.Timeout:
    """Return the transport's timeouts, the total with a margin."""
    import httpx2

    return httpx2.Timeout(timeouts.total_s + MARGIN_S, connect=timeouts.connect_s, pool=None)
