"""The reaper, a parent of the head that outlives it and kills all that it left behind.

A killed head cannot clean up, and some of Ray's processes wait a minute for a lost cluster. On Linux the reaper is a
"child subreaper" (prctl(2)): every orphan of the head becomes its child, whatever its group, session or name.
Elsewhere it kills the head's process group.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from contextlib import suppress

from .processes import kill_group, processes

_PR_SET_CHILD_SUBREAPER = 36
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def start_reaper() -> None:
    """Fork: the parent becomes the reaper and never returns; the child returns as leader of a new session.

    Call it before there are threads, locks or sockets.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    head = os.fork()
    if head == 0:
        os.setsid()
        return
    code = 1
    try:
        code = _watch(head)
    finally:
        os._exit(code)


def _watch(head: int) -> int:
    """Wait for the head, kill its orphans, and return its exit code."""

    def forward(signum: int, _frame: object) -> None:
        with suppress(ProcessLookupError):
            os.kill(head, signum)

    for signum in _SIGNALS:
        signal.signal(signum, forward)
    code = _reap_until_exit(head)
    for signum in _SIGNALS:
        signal.signal(signum, signal.SIG_IGN)
    _kill_orphans()
    return code if code >= 0 else 128 - code


def _reap_until_exit(head: int) -> int:
    """Reap adopted processes until the head has ended; return its exit code.

    The head's group is killed before the head is reaped, while no other process can have its id.
    """
    if sys.platform != "linux":
        _, status = os.waitpid(head, 0)
        kill_group(head)
        return os.waitstatus_to_exitcode(status)
    while True:
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        if ended is not None and ended.si_pid == head:
            kill_group(head)
            return os.waitstatus_to_exitcode(os.waitpid(head, 0)[1])
        if ended is not None:
            os.waitpid(ended.si_pid, 0)


def _kill_orphans() -> None:
    """Kill the children, and their children as they are adopted, until none is left."""
    with suppress(ChildProcessError):
        while True:
            for process in processes():
                if process.parent == os.getpid():
                    with suppress(ProcessLookupError, PermissionError):
                        os.kill(process.pid, signal.SIGKILL)
            os.waitpid(-1, 0)
