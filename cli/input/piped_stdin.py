"""What was piped in, read without waiting for ever on a pipe that was merely inherited."""

from __future__ import annotations

import os
import select
import stat
import sys
from collections.abc import Callable

from ..streams import is_terminal

NOTICE_S = 1.0
"""Seconds of silence after which the wait is announced."""
WAIT_S = 10.0
"""Seconds without a first byte after which a pipe is given up when stderr is not a terminal."""


def read_piped(limit: int, notify: Callable[[str], None]) -> bytes | None:
    """Return what is on stdin, up to its end; None when it is a terminal, closed, a device, or a silent pipe.

    A file is read at once. A pipe is read when its first byte or its end arrives. With a terminal on stderr
    the wait has no limit, because a person sees it and can press Ctrl-C. Without one, `WAIT_S` is the limit:
    a CI job or a service may give its commands a pipe that stays open and silent for ever.

    Args:
        limit: at most one byte more than this is read.
        notify: called with a line when the wait begins to show, and when a silent pipe is given up.
    """
    if sys.stdin is None or sys.stdin.closed or is_terminal(sys.stdin):
        return None
    try:
        number = sys.stdin.fileno()
        mode = os.fstat(number).st_mode
    except (OSError, ValueError):  # no descriptor behind it
        return None
    is_pipe = stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
    if stat.S_ISREG(mode) or (is_pipe and _has_data(number, notify)):
        return sys.stdin.buffer.read(limit + 1)
    return None


def _has_data(pipe: int, notify: Callable[[str], None]) -> bool:
    """Wait for the pipe's first byte or its end."""
    if select.select([pipe], [], [], NOTICE_S)[0]:
        return True
    notify("waiting for stdin …")
    rest = None if is_terminal(sys.stderr) else WAIT_S - NOTICE_S
    if select.select([pipe], [], [], rest)[0]:
        return True
    notify(f"nothing on stdin within {WAIT_S:g} s: going on without it ('-f -' waits, '</dev/null' skips the wait)")
    return False
