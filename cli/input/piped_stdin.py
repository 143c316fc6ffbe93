"""Piped input, without an endless wait on an inherited pipe."""

from __future__ import annotations

import os
import select
import stat
import sys
from collections.abc import Callable

from ..streams import is_terminal

NOTICE_S = 1.0
"""Seconds until the wait is announced."""
WAIT_S = 5.0
"""Seconds to wait for a first byte when stderr is not a terminal."""


def read_piped(limit: int, notify: Callable[[str], None]) -> bytes | None:
    """Read stdin to its end if it is a file or a pipe; return None for anything else and for a silent pipe.

    With a terminal on stderr the wait for a pipe has no limit: a person sees it and can press Ctrl-C. Without
    one it ends after `WAIT_S`: a CI job may give its commands a pipe that stays open and silent.

    Args:
        limit: read at most one byte more than this.
        notify: called with a line about a wait.
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
    if select.select([pipe], [], [], NOTICE_S)[0]:
        return True
    notify("waiting for stdin …")
    rest = None if is_terminal(sys.stderr) else WAIT_S - NOTICE_S
    if select.select([pipe], [], [], rest)[0]:
        return True
    notify(f"nothing on stdin within {WAIT_S:g} s: going on without it ('-f -' waits, '</dev/null' skips the wait)")
    return False
