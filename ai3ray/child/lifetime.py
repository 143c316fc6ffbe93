"""End this process, a child, when its parent ends. Called in the child."""

from __future__ import annotations

import os
import signal
import sys
import threading

PARENT_VARIABLE = "AI3_PARENT_PID"
"""The launcher sets it to its own process id."""

_PR_SET_PDEATHSIG = 1


def exit_with_parent() -> None:
    """Have the kernel kill this process when its parent ends; exit now if it has ended already.

    Only Linux does so, and it counts the end of the thread that started the process as the parent's end.
    `exit_at_end_of_input` works everywhere.
    """
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    parent = os.environ.get(PARENT_VARIABLE)
    if parent is not None and int(parent) != os.getppid():
        os._exit(1)


def exit_at_end_of_input() -> None:
    """Start a thread that kills this process at the end of its standard input, which the parent holds open."""

    def watch() -> None:
        while os.read(0, 4096):
            pass
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="parent", daemon=True).start()
