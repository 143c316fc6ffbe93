"""What a process that runs strangers' SQL may use."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from typing import NamedTuple

try:
    import resource
except ImportError:  # no POSIX system: no limits but the clock of the parent
    resource = None  # type: ignore[assignment]

NICENESS = 10
"""How far a user's query stands back behind the journal's commits."""

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_OPEN_FILES = 64


class ResourceLimits(NamedTuple):
    """The hard limits of one process."""

    memory_bytes: int
    """Address space."""
    cpu_s: int
    """Seconds of processor time."""
    wall_s: float
    """Seconds on the clock; the parent's own clock is a little faster."""


def exit_with_parent(parent: int) -> None:
    """Have the kernel end this process when its parent has ended, and never let it gain rights.

    Linux only, and only when the thread that started it ends: `exit_at_end_of_input` serves everywhere.

    Args:
        parent: process id; when that is not the parent any more, it has died already.
    """
    if sys.platform == "linux":
        import ctypes

        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def exit_at_end_of_input() -> None:
    """End this process as soon as its standard input ends: whoever held the other side is gone."""

    def watch() -> None:
        while os.read(0, 4096):
            pass
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def limit_resources(resource_limits: ResourceLimits) -> None:
    """Set the limits of this process for good: no files, no core, no more memory and time than this."""
    os.nice(NICENESS)
    signal.setitimer(signal.ITIMER_REAL, resource_limits.wall_s)  # SIGALRM is not handled: it ends the process
    if resource is None:
        return
    for limit, most in (
        (resource.RLIMIT_AS, resource_limits.memory_bytes),
        (resource.RLIMIT_CPU, resource_limits.cpu_s),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
    ):
        with contextlib.suppress(ValueError, OSError):  # this system has no such limit, or a lower one
            resource.setrlimit(limit, (most, most))


def lower_thread_priority() -> None:
    """Give the calling thread less of the processor than the process's others; only Linux can."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
