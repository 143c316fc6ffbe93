"""Write batches, each in one transaction."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import duckdb
from duckdb import DuckDBPyConnection

from ai3ray.journal.database import JournalDatabase
from ai3ray.journal.disk_errors import classify_write_error
from ai3ray.journal.rows import Batch
from ai3ray.sql.statements import named_statements

PauseQueries = Callable[[], AbstractContextManager[None]]

_SQL = Path(__file__).with_name("writes.sql")
_KEYS = {
    "run": ("run_id",),
    "task": ("run_id", "task_id"),
    "attempt": ("run_id", "attempt_id"),
    "put": ("run_id", "key"),
}
"""Kinds of rows, with their keys."""
_MAX_PIECES, _ROWS_OF_A_PIECE = 32, 4000
"""Pieces of the history that are tolerated, beside those as large as a busy journal makes them."""
_OF_A_RUN = ("kept.history", "kept.news", *(f"kept.{kind}_rows" for kind in _KEYS))


class Writer:
    """The only writing connection, for one thread; `pause_queries` frees the memory and cursors of queries."""

    def __init__(self, database: JournalDatabase, pause_queries: PauseQueries) -> None:
        self._database = database
        self._pause_queries = pause_queries
        self._connection: DuckDBPyConnection | None = database.cursor()
        # An appender costs more to make than to fill, so it is kept for the next batch.
        self._appenders: dict[str, duckdb.Appender] = {}
        self._statements = named_statements(_SQL)
        self._in_doubt = False

    @property
    def in_doubt(self) -> bool:
        """True while the last batch may be on disk although its commit failed."""
        return self._in_doubt

    def write(self, batch: Batch) -> None:
        """Commit these rows, all or none; a batch in doubt is written unless it is on disk.

        Raises:
            DiskWriteError: the same batch can be written later.
            duckdb.Error, JournalError: nothing can be written any more.
        """
        with self._classified_errors():
            self._database.check()
            try:
                self._insert(batch)
            except (duckdb.OutOfMemoryException, duckdb.TransactionException) as error:
                # A TransactionException may follow an OutOfMemoryException, or a write that the disk refused.
                if isinstance(error, duckdb.TransactionException) and classify_write_error(error) is not error:
                    raise
                with self._pause_queries():  # queries share their memory with the writer, which goes first
                    self._insert(batch)
            except duckdb.FatalException:
                self._insert(batch)  # reopening the database takes no space

    def delete(self, run_ids: Sequence[str]) -> None:
        """Delete these runs from every table, all or none. Raises what `write` raises."""
        with self._classified_errors(), self._transaction() as connection:
            # A checkpoint rewrites changed columns, but keeps deleted rows until others are added beside them.
            # So the long texts are emptied first, which frees their blocks.
            connection.execute(self._statements["empty_bodies"], {"run_ids": run_ids})
            for table in _OF_A_RUN:
                connection.execute(self._statements["delete_rows"].format(table=table), {"run_ids": run_ids})

    def checkpoint(self) -> None:
        """Merge new versions into the rows, and the log into the file. Raises what `write` raises."""
        with self._classified_errors():
            with self._transaction() as connection:
                for kind, keys in _KEYS.items():
                    same_key = " AND ".join(f"old.{key} = new.{key}" for key in keys)
                    replaced = self._statements["delete_replaced"]
                    connection.execute(replaced.format(kind=kind, same_key=same_key))
                    connection.execute(self._statements["insert_latest"].format(kind=kind))
                connection.execute(self._statements["delete_versions"])
            try:
                connection.execute("CHECKPOINT")
            except duckdb.FatalException:
                self.close()
                self._open()  # at once, for the readers
                raise

    def is_fragmented(self) -> bool:
        """Return whether many small checkpoints have left the file in pieces."""
        if self._connection is None:
            return False
        ((pieces, rows),) = self._connection.execute(self._statements["pieces"]).fetchall()
        return bool(pieces > _MAX_PIECES + rows / _ROWS_OF_A_PIECE)

    def close(self) -> None:
        """Release the connection."""
        self._appenders.clear()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _insert(self, batch: Batch) -> None:
        if self._in_doubt:
            there = self._is_stored(batch)
            self._in_doubt = False
            if there:
                return
        try:
            with self._transaction() as connection:
                self._append(connection, "kept.history", batch.history)
                self._append(connection, "kept.news", batch.versions)
        except duckdb.FatalException:
            self._in_doubt = True
            raise

    def _is_stored(self, batch: Batch) -> bool:
        """Return whether this batch is on disk; False without events, because row versions may be written twice."""
        if not batch.history:
            return False
        first = batch.history[0]
        event = {"run_id": first.run_id, "seq": first.seq}
        return self._open().execute(self._statements["has_event"], event).fetchall() != [(0,)]

    def _open(self) -> DuckDBPyConnection:
        """Return the connection; reopen the database after a fatal error."""
        if self._connection is None:
            with self._pause_queries():
                self._database.reopen()
            self._connection = self._database.cursor()
        return self._connection

    @contextlib.contextmanager
    def _classified_errors(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            classified = classify_write_error(error)
            if classified is error:
                raise
            raise classified from error

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[DuckDBPyConnection]:
        connection = self._open()
        try:
            connection.begin()
            yield connection
            connection.commit()
        except BaseException as error:
            self._appenders.clear()  # they may hold rows of this batch
            with contextlib.suppress(duckdb.Error):  # a failed commit has rolled back already
                connection.rollback()
            if isinstance(error, duckdb.FatalException):
                self.close()
            raise

    def _append(self, connection: DuckDBPyConnection, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if not rows:
            return
        appender = self._appenders.get(table)
        if appender is None:
            appender = self._appenders[table] = connection.appender(table)
        appender.append_rows(rows)
        appender.flush()
