"""The journal's open file: gives connections to it, and can open it anew when DuckDB has given it up."""

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
    """One open database, whose connections several threads may ask for.

    After a fatal error, such as a disk that was full during a checkpoint, DuckDB answers nothing until
    the database has been closed and opened again. Whoever holds a cursor of it for the length of a
    query only needs to ask for the next one here.

    Args:
        connection: to the database.
        path: its file.
    """

    def __init__(self, connection: DuckDBPyConnection, path: Path) -> None:
        self.path = path
        self._wal = path.with_name(f"{path.name}.wal")
        self._identity = _identity(path)
        self._lock = threading.Lock()
        self._connection: DuckDBPyConnection | None = connection
        self._cursors: weakref.WeakSet[DuckDBPyConnection] = weakref.WeakSet()

    def cursor(self) -> DuckDBPyConnection:
        """A connection of its own, to be closed soon. Raises JournalError while the database is closed."""
        with self._lock:
            if self._connection is None:
                raise JournalError("the journal cannot be read at the moment: its disk does not let it be opened")
            cursor = self._connection.cursor()
            self._cursors.add(cursor)
            return cursor

    def reopen(self) -> None:
        """Close the database and open it again.

        Raises:
            JournalLocked: a cursor is still in use, or another process took the file in between.
            JournalError: it cannot be opened.
        """
        with self._lock:
            self._close()
            # Two databases of one file in one process would share its lock: the first to close lets go of it.
            if any(map(_is_open, tuple(self._cursors))):
                raise JournalLocked(f"queries still hold the journal {self.path} open", os.getpid())
            self.check()
            self._connection = open_database(self.path, is_new=False)

    def check(self) -> None:
        """Raise JournalError when the file is no longer there: what would be written to it is nobody's to find."""
        if _identity(self.path) != self._identity:
            raise JournalError(f"the file {self.path} is gone")

    def wal_bytes(self) -> int:
        """Size of the write-ahead log."""
        try:
            return self._wal.stat().st_size
        except FileNotFoundError:
            return 0

    def free_bytes(self) -> int:
        """Room on the disk."""
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
    """What tells a file from another of its name; None when it is not there."""
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
