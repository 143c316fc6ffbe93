"""Uvicorn on a Unix socket, without its signal handling."""

from __future__ import annotations

import socket
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

GRACE_S = 3


class SocketServer(uvicorn.Server):
    """Uvicorn without signal handlers.

    Its own handlers repeat the signal after shutdown, as a KeyboardInterrupt in the host's clean-up.
    """

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave the signals alone."""
        yield


def socket_server(app: Starlette) -> SocketServer:
    """Return a server; await `serve(sockets=[…])` to run it, and set `should_exit` to end it."""
    config = uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    return SocketServer(config)


def listen(path: Path) -> socket.socket:
    """Return a listening Unix socket that only this user can connect to."""
    # The file gets its mode before `listen`: until then the kernel refuses every connection.
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(1024)
    listener.setblocking(False)
    return listener
