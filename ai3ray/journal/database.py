"""The journal's open database, which can be reopened after a fatal error."""

from __future__ import annotations

import os
import shutil
import threading
import weakref
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from ai3ray.errors import JournalError, JournalLocked
from ai3ray.journal.connection import open_database


class JournalDatabase:
    """An open database with connections for several threads.

    After a fatal error, such as a full disk during a checkpoint, DuckDB answers nothing until the database has been
    closed and opened again. Cursors that are held for one query each survive that.
    """

    def __init__(self, connection: DuckDBPyConnection, path: Path) -> None:
        self.path = path
        self._wal = path.with_name(f"{path.name}.wal")
        self._identity = _identity(path)
        self._lock = threading.Lock()
        self._connection: DuckDBPyConnection | None = connection
        self._cursors: weakref.WeakSet[DuckDBPyConnection] = weakref.WeakSet()

    def cursor(self) -> DuckDBPyConnection:
        """Return a new connection; close it soon. Raises JournalError while the database is closed."""
        with self._lock:
            if self._connection is None:
                raise JournalError("the journal cannot be read at the moment: its disk does not allow opening it")
            cursor = self._connection.cursor()
            self._cursors.add(cursor)
            return cursor

    def reopen(self) -> None:
        """Close the database and open it again.

        Raises:
            JournalLocked: a cursor is in use, or another process has the file.
            JournalError: it cannot be opened.
        """
        with self._lock:
            self._close()
            # Two databases of one file in one process share its lock, and the first to close releases it.
            if any(map(_is_open, tuple(self._cursors))):
                raise JournalLocked(f"queries still hold the journal {self.path} open", os.getpid())
            self.check()
            self._connection = open_database(self.path, is_new=False)

    def check(self) -> None:
        """Raise JournalError when the file was deleted or replaced, so that nothing is written to it any more."""
        if _identity(self.path) != self._identity:
            raise JournalError(f"the file {self.path} is gone")

    def wal_bytes(self) -> int:
        """Return the size of the write-ahead log."""
        try:
            return self._wal.stat().st_size
        except FileNotFoundError:
            return 0

    def free_bytes(self) -> int:
        """Return the free space on the disk."""
        return shutil.disk_usage(self.path.parent).free

    def close(self) -> None:
        """Close the database; further cursors are refused."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _identity(path: Path) -> tuple[int, int] | None:
    """Return the file's device and inode; None when it is missing."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _is_open(cursor: DuckDBPyConnection) -> bool:
    try:
        cursor.query_progress()
    except duckdb.ConnectionException:
        return False
    except duckdb.Error:
        return True  # it is busy
    return True
