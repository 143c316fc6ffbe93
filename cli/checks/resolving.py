"""Looking up a name without being held up by it."""

from __future__ import annotations

import asyncio
import socket
import threading
import urllib.request
from contextlib import suppress
from urllib.parse import urlsplit


async def resolve_host(url: str) -> None:
    """Wait until the URL's host has an address. Behind a proxy that is the proxy's business.

    The loop's own look-up works in a pool of threads whose end the process awaits, and a resolver that
    nobody answers takes far longer than anybody wants to wait. This one's thread is left behind.

    Raises:
        OSError: it has none.
    """
    parts = urlsplit(url)
    if parts.hostname is None or parts.scheme in urllib.request.getproxies():
        return
    loop = asyncio.get_running_loop()
    found: asyncio.Future[None] = loop.create_future()

    def tell(error: OSError | None) -> None:
        if found.done():  # nobody waits any more
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
            loop.call_soon_threadsafe(tell, error)

    threading.Thread(target=look_up, args=(parts.hostname,), name="ai3-resolve", daemon=True).start()
    await found
