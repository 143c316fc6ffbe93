"""Tell temporary errors of the disk from a broken journal."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import duckdb

from ai3ray.errors import JournalError, JournalLocked
from ai3ray.sql.values import one_line

# Temporary errors, in the system's words, which DuckDB passes on.
_TRANSIENT = {
    os.strerror(code): remedy
    for code, remedy in {
        errno.ENOSPC: "free space",
        errno.EDQUOT: "free space",
        errno.EFBIG: "free space, or raise the limit of file sizes",
        errno.EIO: "repair the disk",
        errno.EROFS: "make it writable",
        errno.EACCES: "make it writable",
        errno.ENOMEM: "free memory",
    }.items()
}


class DiskWriteError(Exception):
    """The disk refused a write, and may accept it later once `remedy` is done."""

    def __init__(self, why: str, remedy: str) -> None:
        super().__init__(why)
        self.remedy = remedy


def classify_write_error(error: Exception) -> Exception:
    """Return the error as a DiskWriteError when it is temporary, else unchanged."""
    if isinstance(error, JournalLocked):
        return DiskWriteError("queries or another process hold it open", "stop them")
    if isinstance(error, duckdb.OutOfMemoryException):
        return DiskWriteError("no memory left", "free memory")
    if isinstance(error, duckdb.Error | JournalError):
        for words, remedy in _TRANSIENT.items():
            if words in str(error):
                return DiskWriteError(words[:1].lower() + words[1:], remedy)
    return error


def retry_message(error: DiskWriteError, path: Path) -> str:
    """Return the message for new runs while writing is retried."""
    return f"the journal {path} cannot be written ({error}): no new runs; {error.remedy}, then it resumes"


def failure_message(error: BaseException) -> str:
    """Return the message for a journal that will never be written again."""
    return f"the journal cannot be written, nothing further is accepted: {one_line(error)}"
