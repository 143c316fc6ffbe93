"""Text from files and from stdin."""

from __future__ import annotations

import sys
from pathlib import Path

from ai3ray.errors import UsageError

STDIN = "-"


def read_text(name: str) -> str:
    """Return the text of a file, or of stdin for `-`; raises UsageError."""
    return decode_text(read_bytes(name), name)


def read_bytes(name: str, limit: int = -1) -> bytes:
    """Return at most `limit` bytes of a file, or of stdin for `-`; raises UsageError."""
    try:
        if name == STDIN:
            return sys.stdin.buffer.read(limit)
        with Path(name).open("rb") as stream:
            return stream.read(limit)
    except (OSError, AttributeError, ValueError) as error:  # no such file; no stdin; a name with a zero byte
        reason = getattr(error, "strerror", None) or ("it is closed" if name == STDIN else str(error))
        raise UsageError(f"cannot read {display_name(name)}: {reason}") from error


def decode_text(data: bytes, name: str) -> str:
    """Decode UTF-8, without a byte order mark; raises UsageError."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{display_name(name)}: byte {error.start} is not UTF-8 text") from error


def display_name(name: str) -> str:
    """Return the name of a file for messages."""
    return "standard input" if name == STDIN else name
