"""What comes in: files named on the command line, and stdin."""

from __future__ import annotations

import os
import select
import stat
import sys
from pathlib import Path

from ai3ray.errors import NotBuilt, UsageError

from .streams import on_terminal

STDIN = "-"


def read_text(name: str) -> str:
    """The text of a file, or of stdin for `-`.

    Raises:
        UsageError: it cannot be read, or is not UTF-8.
    """
    try:
        data = sys.stdin.buffer.read() if name == STDIN else Path(name).read_bytes()
    except (OSError, AttributeError) as error:
        reason = getattr(error, "strerror", None) or "it is closed"
        raise UsageError(f"cannot read {shown(name)}: {reason}") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{shown(name)}: byte {error.start} is not UTF-8 text") from error


def shown(name: str) -> str:
    """What to call a file in a message."""
    return "standard input" if name == STDIN else name


def refuse_piped_context() -> None:
    """Turn down text that was piped in and that no `-` asks for: it would be context.

    Raises:
        NotBuilt: there is some.
    """
    if _has_piped_data():
        raise NotBuilt(
            "piped stdin as context is not built in this version: use '-' to read the prompt from stdin, or </dev/null"
        )


def _has_piped_data() -> bool:
    """Whether stdin holds a byte right now. Never waits: a pipe inherited from a service may stay silent for ever."""
    if sys.stdin is None or sys.stdin.closed or on_terminal(sys.stdin):
        return False
    try:
        number = sys.stdin.fileno()
        mode = os.fstat(number).st_mode
        if stat.S_ISREG(mode):
            return os.fstat(number).st_size > os.lseek(number, 0, os.SEEK_CUR)
        if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
            return False
        ready, _, _ = select.select([number], [], [], 0)
        return bool(ready) and bool(sys.stdin.buffer.peek(1))  # type: ignore[union-attr]
    except (OSError, ValueError):  # no descriptor behind it
        return False
