"""Host names, looked up without waiting for a dead resolver."""

from __future__ import annotations

import asyncio
import socket
import threading
import urllib.request
from contextlib import suppress
from urllib.parse import urlsplit


async def resolve_host(url: str) -> None:
    """Look up the URL's host, unless a proxy does; raises OSError.

    The event loop's own look-up uses a thread pool that the process waits for at its end, even for a dead
    resolver. This one abandons its thread.
    """
    parts = urlsplit(url)
    if parts.hostname is None or parts.scheme in urllib.request.getproxies():
        return
    loop = asyncio.get_running_loop()
    found: asyncio.Future[None] = loop.create_future()

    def finish(error: OSError | None) -> None:
        if found.done():  # the caller has given up
            return
        if error is None:
            found.set_result(None)
        else:
            found.set_exception(error)

    def look_up(host: str) -> None:
        error: OSError | None = None
        try:
            socket.getaddrinfo(host, parts.port or parts.scheme, type=socket.SOCK_STREAM)
        except OSError as failed:
            error = failed
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(finish, error)

    threading.Thread(target=look_up, args=(parts.hostname,), name="ai3-resolve", daemon=True).start()
    await found
