"""List processes, wait for their end, and kill orphaned groups."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Process:
    """One row of the process table."""

    pid: int
    parent: int
    group: int
    command: str
    """The command line; empty for a zombie."""


def processes() -> Iterator[Process]:
    """Yield all processes that this user may see."""
    return _from_proc() if sys.platform == "linux" else _from_ps()


def _from_proc() -> Iterator[Process]:
    # Slim containers have no ps.
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):  # it has ended meanwhile
                # The name may hold spaces and brackets; the fields begin after the last bracket.
                fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                yield Process(int(folder.name), int(fields[1]), int(fields[2]), command.strip())


def _from_ps() -> Iterator[Process]:
    listing = subprocess.run(
        ["/bin/ps", "-axo", "pid=,ppid=,pgid=,command="], capture_output=True, text=True, check=True
    )
    for line in listing.stdout.splitlines():
        pid, parent, group, *command = line.split(maxsplit=3)
        yield Process(int(pid), int(parent), int(group), command[0] if command else "")


def kill_group(group: int) -> None:
    """Kill a process group if it exists and belongs to this user."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def kill_orphaned_group(group: int, *folders: Path) -> bool:
    """Kill the group of a dead leader, unless another process has its id by now.

    Args:
        group: the leader's process id.
        folders: a member must have one as its working directory or in its command line, which some of Ray's
            processes overwrite.
    """
    found = any(process.group == group and _belongs(process, folders) for process in processes())
    if found:
        kill_group(group)
    return found


def _belongs(process: Process, folders: Sequence[Path]) -> bool:
    if any(str(folder) in process.command for folder in folders):
        return True
    try:
        return Path(f"/proc/{process.pid}/cwd").readlink() in folders
    except OSError:
        return False


def has_exited(pid: int) -> bool:
    """Return whether this process has ended, as a zombie has."""
    if sys.platform != "linux":
        return not any(process.pid == pid and "<defunct>" not in process.command for process in processes())
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([fd], [], [], 0)[0])
    finally:
        os.close(fd)


async def wait_for_exit(pid: int) -> None:
    """Wait until this process has ended, as a zombie has."""
    if sys.platform != "linux":  # no pidfds
        with suppress(ProcessLookupError):
            while True:
                os.kill(pid, 0)
                await asyncio.sleep(1.0)
        return
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    gone, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_reader(fd, gone.set)
    try:
        await gone.wait()
    finally:
        loop.remove_reader(fd)
        os.close(fd)
