"""Find, start, replace and stop the local head; `head.json` describes it."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import socket
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, ValidationError

from ai3ray import locations
from ai3ray.client.client import Client
from ai3ray.domain.frozen import Frozen
from ai3ray.errors import HeadUnavailable, ServerRefused
from ai3ray.settings.fingerprint import settings_fingerprint
from ai3ray.settings.model import Settings
from ai3ray.version import __version__

SETTINGS_VARIABLE = "AI3_HEAD_SETTINGS"
HEAD_FILE, LOCK, LOG = "head.json", "head.lock", "head.log"

START_S = 150.0  # on a busy machine the raylet alone may take 120
STOP_S = 15.0
_POLL_S = 0.01
_LOG_BYTES = 5_000_000
_REPLACEMENTS = 5

# A bytecode cache halves the boot; the head does not need the server's key; the others would make it join another
# Ray, or use its token.
_NOT_INHERITED = ("PYTHONDONTWRITEBYTECODE", "AI3_SERVER_KEY", "RAY_ADDRESS", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")

Notify = Callable[[str], None]


class HeadAddress(Frozen):
    """The contents of `head.json`: a running head."""

    model_config = ConfigDict(extra="ignore")

    pid: int
    """For messages; not a proof that the head is running."""
    address: str
    socket: Path
    version: str
    started: str
    """UTC, ISO 8601."""
    config: dict[str, Any]
    """A salted fingerprint of its keys, providers and limits."""
    salt: str

    def differs(self, settings: Settings, env: Mapping[str, str]) -> str | None:
        """Return how it differs from a head with these settings; None when it does not."""
        if self.version != __version__:
            return f"is version {self.version}, this is {__version__}"
        options = settings_fingerprint(settings, dict(env), bytes.fromhex(self.salt))
        if self.config != json.loads(json.dumps(options)):
            return "was started with other keys, providers or limits"
        return None


class HeadStatus(Frozen):
    """A head and its health."""

    head: HeadAddress
    status: str
    """`starting`, `ok`, `failed` or `stopping`."""
    runs_active: int


def read_head_file(home: Path) -> HeadAddress | None:
    """Read `head.json`; return None when it is missing or broken."""
    try:
        return HeadAddress.model_validate_json((home / HEAD_FILE).read_bytes())
    except (OSError, ValidationError):
        return None


def is_listening(path: Path) -> bool:
    """Return True if a process listens on this Unix socket."""
    # This is the only proof of life: a pid may be a zombie's, or another process's by now.
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def find_head(settings: Settings) -> HeadAddress | None:
    """Return this home's head if one is running."""
    head = read_head_file(settings.home)
    return head if head is not None and is_listening(head.socket) else None


async def ensure_head(
    settings: Settings,
    env: Mapping[str, str],
    *,
    notify: Notify,
    command: Sequence[str] | None = None,
) -> HeadAddress:
    """Return this home's head; start it if none is running, and replace an idle one that has other settings.

    Args:
        settings: the settings of a head to start.
        env: its environment, with the keys from `.env`.
        notify: receives one line for the user before a wait, or about a difference.
        command: starts a head; `python -m deployments.head` when None.

    Raises:
        HeadUnavailable: the head did not start; the message quotes the last line of its log.
    """
    for _ in range(_REPLACEMENTS):
        head = find_head(settings)
        if head is None:
            # -P: a json.py in the working directory must not be imported.
            default = [sys.executable, "-P", "-m", locations.module_name("deployments.head")]
            return await _start(settings, env, notify, command or default)
        difference = head.differs(settings, env)
        if difference is None:
            return head
        if not await _stop_if_idle(head):
            notify(f"warning: the local head (pid {head.pid}) {difference} and is busy; it keeps its settings")
            return head
        notify(f"the local head (pid {head.pid}) {difference}; replacing it …")
        await _wait_until_gone(settings, head)
    raise HeadUnavailable(
        "the local head was replaced several times in a row; is another terminal using other settings?"
    )


async def stop_head(settings: Settings) -> HeadAddress | None:
    """Stop this home's head and return it when it has ended; return None when none was running.

    Raises:
        HeadUnavailable: the head has not stopped within 15 s.
    """
    head = find_head(settings)
    if head is None:
        return None
    async with Client(socket=head.socket) as client:
        await client.stop_head()
    await _wait_until_gone(settings, head)
    deadline = time.monotonic() + STOP_S
    while not _lock_is_free(settings.home):
        await _pause(deadline, _still_running(head))
    return head


async def head_status(settings: Settings) -> HeadStatus | None:
    """Return this home's head and its health; None when none is running."""
    head = find_head(settings)
    if head is None:
        return None
    async with Client(socket=head.socket) as client:
        health = await client.health()
    return HeadStatus(head=head, status=health["status"], runs_active=health["runs_active"])


async def _stop_if_idle(head: HeadAddress) -> bool:
    """Return False, and leave the head alone, if a run is active."""
    async with Client(socket=head.socket) as client:
        try:
            await client.stop_head(idle=True)
        except ServerRefused as error:
            if error.status == 409:
                return False
            raise
        except HeadUnavailable:
            pass  # it was stopping by itself
    return True


async def _wait_until_gone(settings: Settings, head: HeadAddress) -> None:
    deadline = time.monotonic() + STOP_S
    while (current := find_head(settings)) is not None and current.started == head.started:
        await _pause(deadline, _still_running(head))


def _still_running(head: HeadAddress) -> str:
    return f"the local head (pid {head.pid}) has not stopped within {STOP_S:.0f} s; end it with 'kill {head.pid}'"


async def _start(settings: Settings, env: Mapping[str, str], notify: Notify, command: Sequence[str]) -> HeadAddress:
    notify("starting the local head …")
    try:
        log = _open_log(settings.home)
    except OSError as error:
        remedy = "make it writable, or set AI3_HOME to a folder that is"
        raise HeadUnavailable(f"cannot write to {settings.home}: {error.strerror}; {remedy}") from error
    offset = log.stat().st_size
    child = _launch(settings, env, command, log)
    deadline = time.monotonic() + START_S
    while (head := find_head(settings)) is None:
        code = child.poll()
        if code == 0:  # another head was up, and has stopped since
            child = _launch(settings, env, command, log)
        elif code is not None:
            written = log.read_bytes()[offset:].decode("utf-8", "replace").split("\n")
            reason = next((line.strip() for line in reversed(written) if line.strip()), "no output")
            raise HeadUnavailable(f"the local head did not start: {reason} (see {log})")
        await _pause(deadline, f"the local head did not start within {START_S:.0f} s (see {log})")
    return head


async def _pause(deadline: float, message: str) -> None:
    # No event announces that a socket begins or ceases to answer, so this is the one place that polls.
    if time.monotonic() > deadline:
        raise HeadUnavailable(message)
    await asyncio.sleep(_POLL_S)


def _launch(settings: Settings, env: Mapping[str, str], command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """Start the head in its own session, so that our terminal and its Ctrl-C do not reach it."""
    with log.open("ab") as stream:
        child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
            cwd=settings.home,
            env=_head_environment(settings, env),
        )
    # The thread collects the head's exit status, however long the head runs.
    threading.Thread(target=child.wait, name="ai3-head-wait", daemon=True).start()
    return child


def _head_environment(settings: Settings, env: Mapping[str, str]) -> dict[str, str]:
    cache = settings.home / "pycache"
    cache.mkdir(mode=0o700, exist_ok=True)
    kept = {name: value for name, value in env.items() if name not in _NOT_INHERITED}
    # Our source comes first, then the caller's path, made absolute. An installed ai3ray is found in site-packages,
    # which must stay behind the standard library.
    ours = str(locations.source_root())
    installed = ours in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))
    entries = [entry for entry in env.get("PYTHONPATH", "").split(os.pathsep) if entry]
    inherited = [os.path.abspath(entry) for entry in entries]  # noqa: PTH100 - symlinks stay
    return kept | {
        "AI3_HOME": str(settings.home),
        SETTINGS_VARIABLE: settings.model_dump_json(exclude={"server_key"}),
        "PYTHONPATH": os.pathsep.join(inherited if installed else [ours, *inherited]),
        "PYTHONPYCACHEPREFIX": str(cache),
        "PYTHONUNBUFFERED": "1",
    }


def _open_log(home: Path) -> Path:
    """Create the private log file, moving a long one aside, and return its path."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = home / LOG
    if log.exists() and log.stat().st_size > _LOG_BYTES:
        log.replace(home / f"{LOG}.1")
    log.touch(mode=0o600)
    return log


def _lock_is_free(home: Path) -> bool:
    # The kernel frees the lock of a head that has died, however it died.
    with (home / LOCK).open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True
