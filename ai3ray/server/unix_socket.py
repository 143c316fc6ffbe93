"""Uvicorn on a Unix socket, with its signal handling taken away."""

from __future__ import annotations

import socket
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

GRACE_S = 3


class SocketServer(uvicorn.Server):
    """Uvicorn whose host owns the signals.

    Uvicorn's own handlers raise the caught signal again after its shutdown: a KeyboardInterrupt in
    the middle of the host's clean-up.
    """

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave the signals alone."""
        yield


def socket_server(app: Starlette) -> SocketServer:
    """A server for `await server.serve(sockets=[…])`; `should_exit` ends it."""
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
    """A listening Unix socket that only this user can connect to.

    The file gets its mode before anybody can connect: until `listen`, the kernel refuses.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(1024)
    listener.setblocking(False)
    return listener
