"""What was piped in: waited for when somebody writes, left alone when the pipe was merely inherited."""

from __future__ import annotations

import os
import select
import stat
import sys
from collections.abc import Callable
from pathlib import Path

from ..streams import is_terminal

SILENCE_S = 1.0
"""Seconds after which a pipe that has said nothing is asked who could write to it."""
_PROC = Path("/proc")


def read_piped(limit: int, notify: Callable[[str], None]) -> bytes | None:
    """What stands on stdin, up to its end; None when stdin is a terminal, closed, a device, or silent.

    A file is read. A pipe is read once it has said something within a second, or when a process beside
    this one has it open for writing, as the left side of a shell's pipeline has, however slow it is. A
    pipe that only this process's ancestors hold was inherited, from a CI job or a service, and may stay
    open and silent for ever: it is left alone, and that is said.

    Args:
        limit: one byte more than this is read at most.
        notify: told in one line what takes time or surprises.
    """
    if sys.stdin is None or sys.stdin.closed or is_terminal(sys.stdin):
        return None
    try:
        number = sys.stdin.fileno()
        mode = os.fstat(number).st_mode
    except (OSError, ValueError):  # no descriptor behind it
        return None
    is_pipe = stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
    if not (stat.S_ISREG(mode) or (is_pipe and _will_speak(number, notify))):
        return None
    return sys.stdin.buffer.read(limit + 1)


def _will_speak(number: int, notify: Callable[[str], None]) -> bool:
    """Whether the pipe has said something, has ended, or has somebody to wait for."""
    ready, _, _ = select.select([number], [], [], SILENCE_S)
    if ready:
        return True
    if _has_writer(number):
        notify("waiting for stdin …")
        return True
    notify("stdin is a pipe that says nothing: going on without it ('-f -' would wait, '</dev/null' is no context)")
    return False


def _has_writer(number: int) -> bool:
    """Whether a process that is not our ancestor can write into this pipe.

    Without /proc it cannot be known; then a person at the terminal can end a wait that is in vain.
    """
    if not (_PROC / "self" / "fd").is_dir():
        return is_terminal(sys.stderr)
    name = f"pipe:[{os.fstat(number).st_ino}]"
    others = {int(entry.name) for entry in os.scandir(_PROC) if entry.name.isdigit()} - _ourselves()
    return any(_writes(process, name) for process in others)


def _writes(process: int, pipe: str) -> bool:
    try:
        with os.scandir(_PROC / str(process) / "fd") as descriptors:
            return any(
                descriptor.stat(follow_symlinks=False).st_mode & stat.S_IWUSR
                for descriptor in descriptors
                if Path(descriptor.path).readlink() == Path(pipe)
            )
    except OSError:  # it has ended, or is another user's
        return False


def _ourselves() -> set[int]:
    """This process and its ancestors."""
    found, process = set(), os.getpid()
    while process > 0 and process not in found:
        found.add(process)
        process = _parent(process)
    return found


def _parent(process: int) -> int:
    try:
        # pid (name) state ppid …; the name may hold blanks and parentheses.
        return int((_PROC / str(process) / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return 0
