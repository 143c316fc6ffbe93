"""Limit what a process or a thread may use. Called in the child."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

try:
    import resource
except ImportError:  # no POSIX system: no limits but the parent's clock
    resource = None  # type: ignore[assignment]

NICENESS = 10
"""Niceness of work that yields to the journal's commits."""

_OPEN_FILES = 64


class ResourceLimits(NamedTuple):
    """The hard limits of one process."""

    memory_bytes: int
    """Address space."""
    cpu_s: int
    """Processor time, in seconds."""
    wall_s: float
    """Wall clock, in seconds; the parent's own timeout is a little shorter."""


def limit_resources(limits: ResourceLimits) -> None:
    """Limit this process for good: memory, time and niceness; 64 open files, no file to write, no core dump."""
    os.nice(NICENESS)
    signal.setitimer(signal.ITIMER_REAL, limits.wall_s)  # SIGALRM is not handled: it ends the process
    if resource is None:
        return
    for limit, most in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_CPU, limits.cpu_s),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
    ):
        with contextlib.suppress(ValueError, OSError):  # this system has no such limit, or a lower one
            resource.setrlimit(limit, (most, most))


@contextlib.contextmanager
def resources_limited(cpu_s: int, memory_bytes: int) -> Iterator[None]:
    """Limit this process inside the block, and restore its limits afterwards. Only soft limits change.

    Args:
        cpu_s: seconds of processor time from now on.
        memory_bytes: bytes by which the address space may grow.
    """
    if resource is None:
        yield
        return
    before = {limit: resource.getrlimit(limit) for limit in (resource.RLIMIT_CPU, resource.RLIMIT_AS)}
    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    _lower_soft_limit(resource.RLIMIT_CPU, int(used) + 1 + cpu_s)
    with contextlib.suppress(OSError):  # only Linux says how much is mapped
        mapped_pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        _lower_soft_limit(resource.RLIMIT_AS, mapped_pages * resource.getpagesize() + memory_bytes)
    try:
        yield
    finally:
        for limit, bounds in before.items():
            resource.setrlimit(limit, bounds)


def lower_thread_priority() -> None:
    """Give the calling thread less of the processor than the process's others; only Linux can."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


def _lower_soft_limit(limit: int, soft: int) -> None:
    before, hard = resource.getrlimit(limit)
    finite = [bound for bound in (soft, before, hard) if bound != resource.RLIM_INFINITY]
    resource.setrlimit(limit, (min(finite), hard))
