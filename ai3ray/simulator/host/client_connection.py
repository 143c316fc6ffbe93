"""The connection that a request came on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.types import Scope


class ConnectionAborted(Exception):
    """The connection was torn down on purpose."""


class ClientConnection:
    """A connection that its requests can tear down, and that ends a request's task when the client goes away.

    Args:
        transport: the connection; None on a host that does not show it.
        outage: makes the whole server unreachable for so many seconds.
    """

    def __init__(self, transport: asyncio.Transport | None, outage: Callable[[float], None] | None = None) -> None:
        self._transport = transport
        self._outage = outage
        self._serving: asyncio.Task[Any] | None = None
        self._closed = asyncio.Event()

    @classmethod
    def of(cls, scope: Scope) -> ClientConnection:
        """The connection of a request."""
        connection = scope.get("state", {}).get("connection")
        return connection if isinstance(connection, ClientConnection) else cls(None)

    @property
    def lost(self) -> bool:
        """Whether the client is gone."""
        return self._closed.is_set()

    def watch(self) -> None:
        """Cancel the current task when the client goes away."""
        self._serving = asyncio.current_task()

    def unwatch(self) -> None:
        """Leave it alone from now on."""
        self._serving = None

    def closed(self) -> None:
        """Told by the host: the connection is no more."""
        self._closed.set()
        if self._serving is not None:
            self._serving.cancel()

    async def abort(self) -> None:
        """Tear the connection down. Raises Aborted."""
        self.unwatch()
        if self._transport is not None:
            self._transport.abort()
            await self._closed.wait()  # the server has to notice, too, or it would complain about the missing answer
        raise ConnectionAborted

    async def outage(self, seconds: float) -> None:
        """Make the server unreachable for a while, this connection included. Raises Aborted."""
        self.unwatch()
        if self._outage is not None:
            self._outage(seconds)
        await self.abort()
