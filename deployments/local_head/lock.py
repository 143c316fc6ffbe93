"""A home's lock, its socket, and the `head.json` that clients read."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import socket
import time
from collections.abc import Callable
from typing import Any

from ai3ray.client.head_paths import HeadPaths
from ai3ray.client.local_head import HEAD_FILE, LOCK, HeadAddress, is_listening, read_head_file
from ai3ray.domain.events import utc_now
from ai3ray.errors import HeadUnavailable
from ai3ray.server.unix_socket import listen
from ai3ray.version import __version__

from .processes import kill_orphaned_group

WAIT_S = 30.0
_RETRY_S = 0.03


class HomeLock:
    """The hold on a home: a lock kept until the process ends, a listening socket, and `head.json`."""

    def __init__(self, paths: HeadPaths, lock: int, listener: socket.socket) -> None:
        self.paths = paths
        self.listener = listener
        self._lock = lock

    def publish(self, config: Callable[[bytes], dict[str, Any]]) -> HeadAddress:
        """Write `head.json`, private, with the fingerprint that `config` gives for a salt."""
        salt = secrets.token_bytes(16)
        address = HeadAddress(
            pid=os.getpid(),
            address=self.paths.socket.as_uri().replace("file:", "unix:", 1),
            socket=self.paths.socket,
            version=__version__,
            started=utc_now(),
            config=config(salt),
            salt=salt.hex(),
        )
        draft = self.paths.home / f"{HEAD_FILE}.{os.getpid()}"
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
            stream.write(address.model_dump_json())
        draft.rename(self.paths.home / HEAD_FILE)
        return address

    def withdraw(self) -> None:
        """Remove `head.json` and the socket. The lock stays until journal and Ray are closed."""
        (self.paths.home / HEAD_FILE).unlink(missing_ok=True)
        self.paths.socket.unlink(missing_ok=True)


def lock_home(paths: HeadPaths, wait_s: float = WAIT_S) -> HomeLock | None:
    """Lock a home; return None if another head serves it.

    Args:
        paths: the home's.
        wait_s: the time for a stopping head to end.

    Raises:
        HeadUnavailable: a process holds the home and does not answer.
    """
    lock = os.open(paths.home / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if is_listening(paths.socket):
                os.close(lock)
                return None
        if time.monotonic() > deadline:
            raise HeadUnavailable(f"a process that does not answer holds {paths.home / LOCK}: end it, then try again")
        time.sleep(_RETRY_S)
    _remove_stale_files(paths)
    # The socket is renamed into place once it listens: an existing socket file always answers.
    draft = paths.socket.with_name(f"{paths.socket.name}.{os.getpid()}")
    listener = listen(draft)
    draft.rename(paths.socket)
    return HomeLock(paths, lock, listener)


def _remove_stale_files(paths: HeadPaths) -> None:
    """Remove the processes and files of a killed head."""
    previous = read_head_file(paths.home)
    if previous is not None:
        kill_orphaned_group(previous.pid, paths.ray_dir, paths.home)
    # `head.json` goes first: clients would believe a stale one beside a fresh socket.
    (paths.home / HEAD_FILE).unlink(missing_ok=True)
    for stale in paths.socket.parent.glob(f"{paths.socket.name}*"):
        stale.unlink(missing_ok=True)
    shutil.rmtree(paths.ray_dir, ignore_errors=True)
