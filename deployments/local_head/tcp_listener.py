"""Serve the head on TCP while one caller reads."""

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
    """At most one TCP server, opened and closed on request."""

    def __init__(self) -> None:
        self._server: TcpServer | None = None
        self._close_requested = asyncio.Event()
        self._session: asyncio.Task[None] | None = None
        self.serving = ServeState()
        self.changed = asyncio.Event()
        """Set and replaced at each change of `serving`."""

    @property
    def busy(self) -> bool:
        """True while the server is opening, open or closing."""
        return self._session is not None and not self._session.done()

    def attach(self, server: TcpServer | None) -> None:
        """Set the server to use, None without Ray; its blocking methods run in threads."""
        self._server = server

    async def open(self, request: ServeRequest) -> None:
        """Begin to serve, once a former caller's server has closed.

        Raises:
            HTTPException: 409 if it is serving another caller, 501 without Ray.
        """
        if self._server is None:
            raise HTTPException(501, "this head runs without Ray, which serving on TCP needs")
        if self._session is not None and self._close_requested.is_set():
            await asyncio.wait({self._session})
        if self.busy:
            raise HTTPException(409, f"the head is already serving on {self.serving.url or 'another port'}")
        self._close_requested = asyncio.Event()
        self._report(ServeState(status="starting"))
        serving = self._serve(self._server, request, self._close_requested)
        self._session = asyncio.create_task(serving, name="tcp-listener")

    def request_close(self) -> None:
        """Begin to close."""
        self._close_requested.set()

    async def close(self) -> None:
        """Stop serving and wait until the port is free."""
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
        except Exception as error:  # noqa: BLE001 - the edge of the server: reported to its caller
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            end = ServeState(status="failed", message=lines[-1] if lines else type(error).__name__)
            _log.error("cannot serve: %s", error, exc_info=None if isinstance(error, Ai3Error) else error)
        self._report(ServeState(status="stopping"))
        try:
            await in_thread("serve-close", server.close)
        except Exception:  # noqa: BLE001 - likewise
            _log.exception("the TCP server did not close cleanly")
        self._report(end)

    def _report(self, serving: ServeState) -> None:
        self.serving = serving
        self.changed.set()
        self.changed = asyncio.Event()


async def in_thread(name: str, work: Callable[[], T]) -> T:
    """Run blocking work in its own daemon thread and return the result.

    The loop waits for its own threads when it ends, and this one may hang in a lost cluster.
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
        except Exception as error:  # noqa: BLE001 - the edge of the thread: passed to the awaiting task
            result: tuple[T | None, Exception | None] = (None, error)
        else:
            result = (value, None)
        with suppress(RuntimeError):  # the loop is closed, and nothing waits for this any more
            loop.call_soon_threadsafe(settle, *result)

    threading.Thread(target=body, name=name, daemon=True).start()
    return await outcome
