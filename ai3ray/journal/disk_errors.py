"""Telling a disk that takes nothing at the moment from a journal that is broken."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import duckdb

from ai3ray.errors import JournalError, JournalLocked
from ai3ray.sql.values import one_line

# What a disk may say today and not say tomorrow, as the system words it and DuckDB passes it on.
_TRANSIENT = {
    os.strerror(code): remedy
    for code, remedy in {
        errno.ENOSPC: "free space",
        errno.EDQUOT: "free space",
        errno.EFBIG: "free space, or raise the limit of file sizes",
        errno.EIO: "mend the disk",
        errno.EROFS: "make it writable",
        errno.EACCES: "make it writable",
        errno.ENOMEM: "free memory",
    }.items()
}


class DiskWriteError(Exception):
    """The disk did not take a batch; it may later.

    Args:
        why: what the system says.
        remedy: what to do about it.
    """

    def __init__(self, why: str, remedy: str) -> None:
        super().__init__(why)
        self.remedy = remedy


def classify_write_error(error: Exception) -> Exception:
    """The error of DuckDB, or of opening the file anew, as DiskTrouble when it may pass, else as it is."""
    if isinstance(error, JournalLocked):
        return DiskWriteError("queries or another process hold it open", "end them")
    if isinstance(error, duckdb.OutOfMemoryException):
        return DiskWriteError("no memory left", "free memory")
    if isinstance(error, duckdb.Error | JournalError):
        for words, remedy in _TRANSIENT.items():
            if words in str(error):
                return DiskWriteError(words[:1].lower() + words[1:], remedy)
    return error


def retry_message(error: DiskWriteError, path: Path) -> str:
    """What a new run is told."""
    return f"the journal {path} cannot be written, {error}: no new runs; {error.remedy}, it goes on by itself"


def failure_message(error: BaseException) -> str:
    """What is told when nothing will ever be written again."""
    return f"the journal cannot write, nothing further is accepted: {one_line(error)}"
