"""The head's front on TCP: opened for one caller, closed when that caller leaves."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from starlette.exceptions import HTTPException

from ai3ray.domain.serving import ServeRequest, ServeState
from ai3ray.errors import Ai3Error
from ai3ray.server.port import TcpServer

T = TypeVar("T")

_log = logging.getLogger("ai3ray.head")


class TcpListener:
    """Opens and closes a server on TCP, one at a time."""

    def __init__(self) -> None:
        self._server: TcpServer | None = None
        self._close_requested = asyncio.Event()
        self._session: asyncio.Task[None] | None = None
        self.serving = ServeState()
        """How it stands."""
        self.changed = asyncio.Event()
        """Set, and replaced, when `serving` changes."""

    @property
    def busy(self) -> bool:
        """Whether it is open, or on its way there or back."""
        return self._session is not None and not self._session.done()

    def attach(self, server: TcpServer | None) -> None:
        """The engine is up, and this is what can serve it; its methods block and are called in threads."""
        self._server = server

    async def open(self, request: ServeRequest) -> None:
        """Begin to serve, once a former caller's server has gone.

        Raises:
            HTTPException: 409, it serves somebody already; 501, nothing here can.
        """
        if self._server is None:
            raise HTTPException(501, "this head has no Ray to serve with")
        if self._session is not None and self._close_requested.is_set():
            await asyncio.wait({self._session})
        if self.busy:
            raise HTTPException(409, f"the head serves already, on {self.serving.url or 'another port'}")
        self._close_requested = asyncio.Event()
        self._report(ServeState(status="starting"))
        serving = self._serve(self._server, request, self._close_requested)
        self._session = asyncio.create_task(serving, name="tcp-listener")

    def request_close(self) -> None:
        """Nobody wants it any more."""
        self._close_requested.set()

    async def close(self) -> None:
        """Serve no more; returns when the port is free."""
        self.request_close()
        if self._session is not None:
            await asyncio.wait({self._session})

    async def _serve(self, server: TcpServer, request: ServeRequest, close_requested: asyncio.Event) -> None:
        end = ServeState()
        try:
            url = await in_thread("serve-open", lambda: server.open(request))
            self._report(ServeState(status="serving", url=url))
            _log.info("serving on %s", url)
            await close_requested.wait()
        except Exception as error:  # noqa: BLE001 - the edge of the front: told to whoever asked for it
            end = ServeState(status="failed", message=_one_line(error))
            _log.error("cannot serve: %s", error, exc_info=None if isinstance(error, Ai3Error) else error)
        self._report(ServeState(status="stopping"))
        try:
            await in_thread("serve-close", server.close)
        except Exception:  # noqa: BLE001 - likewise
            _log.exception("the front did not close cleanly")
        self._report(end)

    def _report(self, serving: ServeState) -> None:
        self.serving = serving
        self.changed.set()
        self.changed = asyncio.Event()


async def in_thread(name: str, work: Callable[[], T]) -> T:
    """Run this in a thread of its own, which does not keep the process alive.

    The loop's own threads are waited for when it ends, and this one may hang in a cluster that has gone.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()

    def settle(value: T | None, error: Exception | None) -> None:
        if outcome.done():
            return
        if error is not None:
            outcome.set_exception(error)
        else:
            outcome.set_result(value)  # type: ignore[arg-type]  # without an error it is a T

    def body() -> None:
        try:
            value = work()
        except Exception as error:  # noqa: BLE001 - the edge of the thread: handed to whoever awaits
            result: tuple[T | None, Exception | None] = (None, error)
        else:
            result = (value, None)
        with suppress(RuntimeError):  # the loop has been closed: nobody waits any more
            loop.call_soon_threadsafe(settle, *result)

    threading.Thread(target=body, name=name, daemon=True).start()
    return await outcome


def _one_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
