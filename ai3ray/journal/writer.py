"""Writing a batch: one transaction, all tables."""

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
"""Kinds of rows, and what names one."""
_MAX_PIECES, _ROWS_OF_A_PIECE = 32, 4000
"""Pieces of the history that do no harm, beside those that are as large as a busy journal makes them."""
_OF_A_RUN = ("kept.history", "kept.news", *(f"kept.{kind}_rows" for kind in _KEYS))


class Writer:
    """The one connection that writes; used by one thread.

    Args:
        file: the journal's file.
        alone: inside of it no query runs: they hold memory, and the database open.
    """

    def __init__(self, database: JournalDatabase, pause_queries: PauseQueries) -> None:
        self._database = database
        self._pause_queries = pause_queries
        self._connection: DuckDBPyConnection | None = database.cursor()
        # Setting up an appender costs more than filling it, so each is kept for the next batch.
        self._appenders: dict[str, duckdb.Appender] = {}
        self._statements = named_statements(_SQL)
        self._in_doubt = False

    @property
    def in_doubt(self) -> bool:
        """Whether the last batch may be on disk although writing it failed."""
        return self._in_doubt

    def write(self, batch: Batch) -> None:
        """Commit these rows, all or none; the batch that was in doubt is written unless it is there.

        Raises:
            DiskTrouble: not now; the same batch may be written later.
            duckdb.Error, JournalError: never.
        """
        with self._classified_errors():
            self._database.check()
            try:
                self._insert(batch)
            except (duckdb.OutOfMemoryException, duckdb.TransactionException) as error:
                # The second may follow on the first; on a disk that takes nothing it may as well.
                if isinstance(error, duckdb.TransactionException) and classify_write_error(error) is not error:
                    raise
                with self._pause_queries():  # users' queries share the memory with the writer, which goes first
                    self._insert(batch)
            except duckdb.FatalException:
                self._insert(batch)  # opening the database anew takes no space

    def delete(self, run_ids: Sequence[str]) -> None:
        """Delete these runs from every table, all or none. Raises as `write`."""
        with self._classified_errors(), self._transaction() as connection:
            # A checkpoint rewrites the columns that changed, but leaves deleted rows where they are until
            # something is added beside them. So the long texts are emptied first: their blocks become free.
            connection.execute(self._statements["empty_bodies"], {"run_ids": run_ids})
            for table in _OF_A_RUN:
                connection.execute(self._statements["delete_rows"].format(table=table), {"run_ids": run_ids})

    def checkpoint(self) -> None:
        """Merge the news into the rows, and move the log into the file. Raises as `write`."""
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
                self._open()  # at once: others read
                raise

    def is_fragmented(self) -> bool:
        """Whether many checkpoints of little each have left the file in pieces."""
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
        """Whether this batch is on disk. Where it has no events it does not matter: news may be told twice."""
        if not batch.history:
            return False
        first = batch.history[0]
        event = {"run_id": first.run_id, "seq": first.seq}
        return self._open().execute(self._statements["has_event"], event).fetchall() != [(0,)]

    def _open(self) -> DuckDBPyConnection:
        """The connection; a database that DuckDB has given up is opened anew."""
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
            told = classify_write_error(error)
            if told is error:
                raise
            raise told from error

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
