"""The connection of a client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.types import Scope


class ConnectionAborted(Exception):
    """The server closed the connection on purpose."""


class ClientConnection:
    """A connection that requests can abort, and that cancels its request's task when the client disconnects.

    Args:
        transport: None on a host that does not expose it.
        outage: makes the whole server unreachable for some seconds.
    """

    def __init__(self, transport: asyncio.Transport | None, outage: Callable[[float], None] | None = None) -> None:
        self._transport = transport
        self._outage = outage
        self._serving: asyncio.Task[Any] | None = None
        self._closed = asyncio.Event()

    @classmethod
    def of(cls, scope: Scope) -> ClientConnection:
        """Return the connection of a request."""
        connection = scope.get("state", {}).get("connection")
        return connection if isinstance(connection, ClientConnection) else cls(None)

    @property
    def lost(self) -> bool:
        """True once the client has disconnected."""
        return self._closed.is_set()

    def watch(self) -> None:
        """Cancel the current task when the client disconnects."""
        self._serving = asyncio.current_task()

    def unwatch(self) -> None:
        """Stop watching."""
        self._serving = None

    def closed(self) -> None:
        """Cancel the watching task; the host calls this."""
        self._closed.set()
        if self._serving is not None:
            self._serving.cancel()

    async def abort(self) -> None:
        """Abort the connection and raise ConnectionAborted."""
        self.unwatch()
        if self._transport is not None:
            self._transport.abort()
            await self._closed.wait()  # else the server would complain about the missing answer
        raise ConnectionAborted

    async def outage(self, seconds: float) -> None:
        """Make the server unreachable for some seconds and raise ConnectionAborted."""
        self.unwatch()
        if self._outage is not None:
            self._outage(seconds)
        await self.abort()
