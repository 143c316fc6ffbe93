"""Write copies of the journal for isolated SQL, with all runs or one owner's.

A copy has the journal's tables without keys and indexes, and the same views. Rows pass between the databases as Arrow
streams, which hold neither the interpreter's lock nor much memory.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
from duckdb import DuckDBPyConnection

from ai3ray.sql.journal_views import views
from ai3ray.sql.port import CursorSource
from ai3ray.sql.statements import named_statements

TABLES = ("runs", "tasks", "attempts", "decisions", "events", "artifacts", "verdicts")
"""The journal's public tables and those that its views read."""

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "threads": 1,
    "async_threads": 1,
    "memory_limit": "256MB",
    "temp_directory": "",
    "allow_persistent_secrets": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    # After a crash of the machine the copy is made anew, so it need not slow the journal's writes.
    "fsync_mode": "NONE",
    # Measured on 200,000 events: 2 s instead of 4.4 s with compression, for twice the space.
    "force_compression": "uncompressed",
    "checkpoint_threshold": "1GB",
}

_SQL = Path(__file__).with_suffix(".sql")


class CopyStopped(Exception):
    """Writing the copy was interrupted."""


class CopyWriter:
    """Writes one copy at a time, in the calling thread. Other threads may call `interrupt` and `stop`."""

    def __init__(self, journal: CursorSource) -> None:
        self._journal = journal
        self._statements = named_statements(_SQL)
        self._running: tuple[DuckDBPyConnection, ...] = ()
        self._interrupted = False
        self._stopped = False

    def create(self, path: Path, owner: str | None) -> None:
        """Write a new copy of the owner's rows, or of all rows when `owner` is None.

        Raises:
            CopyStopped, duckdb.Error: it could not be written.
        """
        path.parent.mkdir(mode=0o700, parents=True)
        with self._transactions(path) as (source, target):
            path.chmod(0o600)
            for table in TABLES:
                described = source.execute(self._statements["columns"], {"table": table}).fetchall()
                columns = ", ".join(f'"{name}" {kind}' for name, kind in described)
                target.execute(self._statements["create_table"].format(table=table, columns=columns))
                if owner is None:
                    self._insert_rows(source, target, table, "all_rows", {})
                else:
                    query = "owners_runs" if table == "runs" else "owners_rows"
                    self._insert_rows(source, target, table, query, {"owner": owner})
            target.execute(views())

    def update(self, path: Path, owner: str | None, run_ids: Sequence[str]) -> None:
        """Bring these runs of a copy up to date, and remove those that no longer belong to the owner.

        Raises:
            CopyStopped, duckdb.Error: it could not be written, and must not be used again.
        """
        with self._transactions(path) as (source, target):
            values = _run_id_values(run_ids)
            owned = source.execute(self._statements["owned"], values | {"owner": owner}).fetchall()
            kept = [run_id for (run_id,) in owned]
            delete = self._statements["delete_runs"]
            target.execute(delete.format(table="events"), _run_id_values(set(run_ids).difference(kept)))
            last_events = target.execute(self._statements["last_events"], {"run_ids": kept}).fetchall()
            known = _run_id_values(run_id for run_id, _ in last_events) | {"seqs": [seq for _, seq in last_events]}
            self._insert_rows(source, target, "events", "new_events", known)
            for table in TABLES:
                if table != "events":
                    target.execute(delete.format(table=table), values)
                    self._insert_rows(source, target, table, "rows_of_runs", _run_id_values(kept))

    def interrupt(self) -> None:
        """Stop the copy that is being written."""
        self._interrupted = True
        for connection in self._running:
            with contextlib.suppress(duckdb.ConnectionException):  # it has ended
                connection.interrupt()

    def stop(self) -> None:
        """Stop the copy that is being written, and all later ones."""
        self._stopped = True
        self.interrupt()

    @contextlib.contextmanager
    def _transactions(self, path: Path) -> Iterator[tuple[DuckDBPyConnection, DuckDBPyConnection]]:
        """Yield a snapshot of the journal and a transaction of the copy, which is committed at the end."""
        with self._journal.cursor() as source, duckdb.connect(path, config=_CONFIG) as target:
            self._running, self._interrupted = (source, target), self._stopped
            try:
                source.execute("BEGIN TRANSACTION READ ONLY")
                target.begin()
                yield source, target
                target.commit()
                target.execute("CHECKPOINT")
            except duckdb.Error as error:
                if self._interrupted:  # the kind of error depends on what was interrupted
                    raise CopyStopped from error
                raise
            finally:
                self._running = ()

    def _insert_rows(
        self, source: DuckDBPyConnection, target: DuckDBPyConnection, table: str, query: str, values: dict[str, Any]
    ) -> None:
        """Add the rows that the named query finds to the table of the same name."""
        if self._stopped:
            raise CopyStopped
        rows = source.sql(self._statements[query].format(table=table), params=values or None)
        target.register("source_rows", _ArrowStream(rows))
        target.execute(self._statements["insert_rows"].format(table=table))
        target.unregister("source_rows")


class _ArrowStream:
    """A relation of one DuckDB database, readable by another."""

    def __init__(self, relation: duckdb.DuckDBPyRelation) -> None:
        self._relation = relation

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._relation.__arrow_c_stream__(requested_schema)


def _run_id_values(run_ids: Iterable[str]) -> dict[str, Any]:
    """Return the values of `$run_ids`, `$first` and `$last`."""
    chosen = list(run_ids)
    return {"run_ids": chosen, "first": min(chosen, default=""), "last": max(chosen, default="")}
