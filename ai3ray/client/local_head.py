"""Finding, starting, replacing and stopping the local head, which is told of in `head.json`."""

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

START_S = 150.0  # its raylet alone may take 120 on a machine that has much else to do
STOP_S = 15.0
_POLL_S = 0.01
_LOG_BYTES = 5_000_000
_REPLACEMENTS = 5

# A bytecode cache halves the boot; the server's key is no business of the head; the rest would make
# it join a foreign Ray, or take its token.
_NOT_INHERITED = ("PYTHONDONTWRITEBYTECODE", "AI3_SERVER_KEY", "RAY_ADDRESS", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")

Notify = Callable[[str], None]


class HeadAddress(Frozen):
    """What `head.json` says of a running head."""

    model_config = ConfigDict(extra="ignore")

    pid: int
    """Its process; for people, never a proof of life."""
    address: str
    """Where it listens, as a URL."""
    socket: Path
    """The Unix socket it listens on."""
    version: str
    """Its version of ai3ray."""
    started: str
    """When it started, UTC ISO 8601."""
    config: dict[str, Any]
    """Fingerprint of its keys, providers and limits, salted."""
    salt: str
    """The salt, in hex."""

    def differs(self, settings: Settings, env: Mapping[str, str]) -> str | None:
        """Why it is not the head that these settings would start; None when it is."""
        if self.version != __version__:
            return f"is version {self.version}, this is {__version__}"
        options = settings_fingerprint(settings, dict(env), bytes.fromhex(self.salt))
        if self.config != json.loads(json.dumps(options)):
            return "was started with other keys, providers or limits"
        return None


class HeadStatus(Frozen):
    """A head and what it says of itself."""

    head: HeadAddress
    """Where it is."""
    status: str
    """`starting`, `ok`, `failed` or `stopping`."""
    runs_active: int
    """Runs that have not ended."""


def read_head_file(home: Path) -> HeadAddress | None:
    """What `head.json` says; None when there is none that we can read."""
    try:
        return HeadAddress.model_validate_json((home / HEAD_FILE).read_bytes())
    except (OSError, ValidationError):
        return None


def is_listening(path: Path) -> bool:
    """Whether somebody listens on this Unix socket. The one proof of life: a pid may be a zombie's."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def find_head(settings: Settings) -> HeadAddress | None:
    """The head of this home if one is up; starts none."""
    head = read_head_file(settings.home)
    return head if head is not None and is_listening(head.socket) else None


async def ensure_head(
    settings: Settings,
    env: Mapping[str, str],
    *,
    notify: Notify,
    command: Sequence[str] | None = None,
) -> HeadAddress:
    """The head of this home; started when there is none, replaced when idle and started otherwise.

    Args:
        settings: as the head shall have them.
        env: the environment it shall have, keys from `.env` included.
        notify: told in one line what takes time or surprises.
        command: what to start; the head's own module when absent.

    Raises:
        HeadUnavailable: it did not start; the message quotes the last line of its log.
    """
    for _ in range(_REPLACEMENTS):
        head = find_head(settings)
        if head is None:
            return await _start(settings, env, notify, command or _head_command())
        difference = head.differs(settings, env)
        if difference is None:
            return head
        if not await _stop_if_idle(head):
            notify(f"warning: the local head (pid {head.pid}) {difference}, and is busy: its settings count")
            return head
        notify(f"the local head (pid {head.pid}) {difference}: replacing it …")
        await _wait_until_gone(settings, head)
    raise HeadUnavailable("the local head is replaced over and over: is another terminal using other settings?")


async def stop_head(settings: Settings) -> HeadAddress | None:
    """Stop this home's head and wait until it is gone; None when there was none.

    Raises:
        HeadUnavailable: it does not leave within 15 s.
    """
    head = find_head(settings)
    if head is None:
        return None
    async with Client(socket=head.socket) as client:
        await client.stop_head()
    await _wait_until_gone(settings, head)
    deadline = time.monotonic() + STOP_S
    while not _lock_is_free(settings.home):
        await _pause(deadline, f"the local head (pid {head.pid}) has not left within {STOP_S:.0f} s")
    return head


async def head_status(settings: Settings) -> HeadStatus | None:
    """This home's head and how it is; None when none is up."""
    head = find_head(settings)
    if head is None:
        return None
    async with Client(socket=head.socket) as client:
        health = await client.health()
    return HeadStatus(head=head, status=health["status"], runs_active=health["runs_active"])


async def _stop_if_idle(head: HeadAddress) -> bool:
    """Ask it to leave; False when a run is going."""
    async with Client(socket=head.socket) as client:
        try:
            await client.stop_head(idle=True)
        except ServerRefused as error:
            if error.status == 409:
                return False
            raise
        except HeadUnavailable:
            pass  # it was leaving by itself
    return True


async def _wait_until_gone(settings: Settings, head: HeadAddress) -> None:
    """Wait until this head serves nobody any more."""
    deadline = time.monotonic() + STOP_S
    while (current := find_head(settings)) is not None and current.started == head.started:
        await _pause(deadline, f"the local head (pid {head.pid}) does not stop")


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
        if code == 0:  # it lost to another head, which has left again by now
            child = _launch(settings, env, command, log)
        elif code is not None:
            raise HeadUnavailable(f"the local head did not start: {_last_line(log, offset)} (see {log})")
        await _pause(deadline, f"the local head did not start within {START_S:.0f} s (see {log})")
    return head


async def _pause(deadline: float, message: str) -> None:
    # Nothing announces a socket that begins or ceases to answer: this is the one place that polls.
    if time.monotonic() > deadline:
        raise HeadUnavailable(message)
    await asyncio.sleep(_POLL_S)


def _head_command() -> list[str]:
    # -P: a json.py in the working directory must not be imported.
    return [sys.executable, "-P", "-m", locations.module_name("deployments.head")]


def _launch(settings: Settings, env: Mapping[str, str], command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """Start the head in a session of its own: no pipe, no terminal, no Ctrl-C of ours reaches it."""
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
    # Somebody has to collect its exit status, however long the head outlives this function.
    threading.Thread(target=child.wait, name="ai3-head-wait", daemon=True).start()
    return child


def _head_environment(settings: Settings, env: Mapping[str, str]) -> dict[str, str]:
    cache = settings.home / "pycache"
    cache.mkdir(mode=0o700, exist_ok=True)
    kept = {name: value for name, value in env.items() if name not in _NOT_INHERITED}
    return kept | {
        "AI3_HOME": str(settings.home),
        SETTINGS_VARIABLE: settings.model_dump_json(exclude={"server_key"}),
        "PYTHONPATH": _python_path(env.get("PYTHONPATH", "")),
        "PYTHONPYCACHEPREFIX": str(cache),
        "PYTHONUNBUFFERED": "1",
    }


def _python_path(inherited: str) -> str:
    """Ours, then the caller's made absolute. Site-packages stays where it is: behind the standard library."""
    ours = str(locations.source_root())
    installed = ours in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))
    theirs = [os.path.abspath(entry) for entry in inherited.split(os.pathsep) if entry]  # noqa: PTH100 - no resolve
    return os.pathsep.join(theirs if installed else [ours, *theirs])


def _open_log(home: Path) -> Path:
    """The log file, private; a long one is put aside first."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = home / LOG
    if log.exists() and log.stat().st_size > _LOG_BYTES:
        log.replace(home / f"{LOG}.1")
    log.touch(mode=0o600)
    return log


def _last_line(log: Path, offset: int) -> str:
    """The last line that was written after `begin` bytes."""
    with log.open("rb") as stream:
        stream.seek(offset)
        lines = stream.read().decode("utf-8", "replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


def _lock_is_free(home: Path) -> bool:
    """Whether no head lives here; the kernel frees the lock on any death."""
    with (home / LOCK).open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True
