"""Writing a copy of the journal for strangers' SQL: all of it, or what one owner may see.

The copy has the journal's tables without keys and indexes, and the same views. Rows go from one DuckDB
to the other as Arrow streams, so neither the interpreter's lock nor much memory is held.
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

TABLES = ("runs", "tasks", "attempts", "decisions", "events", "artifacts", "verdicts")
"""What the contract promises, and what its views read; the rest of the journal is nobody's business."""

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "threads": 1,
    "async_threads": 1,
    "memory_limit": "256MB",
    "temp_directory": "",
    "allow_persistent_secrets": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    # After a crash of the machine it is made anew, so the journal's own writes need not wait for it.
    "fsync_mode": "NONE",
    # Measured on 200,000 events: 2 s where compressing takes 4.4, for twice the space.
    "force_compression": "uncompressed",
    "checkpoint_threshold": "1GB",
}

# Ids are sortable by age, and so is what a block of a table holds: the range spares reading most of the blocks.
_WHERE_RUN_IDS = "WHERE run_id BETWEEN $first AND $last AND run_id IN (SELECT unnest($run_ids))"


class CopyStopped(Exception):
    """Somebody has interrupted the copying."""


class CopyWriter:
    """One copying at a time, in whatever thread calls; `interrupt` stops it from another one.

    Args:
        journal: a connection to the journal.
    """

    def __init__(self, journal: CursorSource) -> None:
        self._journal = journal
        self._running: tuple[DuckDBPyConnection, ...] = ()
        self._interrupted = False
        self._stopped = False

    def create(self, path: Path, owner: str | None) -> None:
        """Write a new copy of all rows that the owner may see, None for everybody's.

        Raises:
            CopyStopped: it was interrupted.
            duckdb.Error: it could not be written.
        """
        path.parent.mkdir(mode=0o700, parents=True)
        with self._transactions(path) as (source, target):
            path.chmod(0o600)
            for table in TABLES:
                target.execute(f"CREATE TABLE {table} ({_columns(source, table)})")
                self._insert_rows(source, target, table, *_where_owner(table, owner))
            target.execute(views())

    def update(self, path: Path, owner: str | None, run_ids: Sequence[str]) -> None:
        """Bring these runs of a copy up to date; runs that are not the owner's (any more) leave it.

        Raises:
            CopyStopped: it was interrupted. The copy is not to be used again.
            duckdb.Error: it could not be written; likewise.
        """
        with self._transactions(path) as (source, target):
            owned = f"SELECT run_id FROM runs {_WHERE_RUN_IDS} AND ($owner IS NULL OR owner = $owner)"  # noqa: S608
            kept = [
                run_id for (run_id,) in source.execute(owned, _run_id_values(run_ids) | {"owner": owner}).fetchall()
            ]
            no_longer_owned = set(run_ids).difference(kept)
            target.execute(f"DELETE FROM events {_WHERE_RUN_IDS}", _run_id_values(no_longer_owned))  # noqa: S608 (our names)
            self._insert_rows(source, target, "events", *_new_events(target, kept))
            for table in TABLES:
                if table != "events":
                    target.execute(f"DELETE FROM {table} {_WHERE_RUN_IDS}", _run_id_values(run_ids))  # noqa: S608 (our names)
                    self._insert_rows(source, target, table, _WHERE_RUN_IDS, _run_id_values(kept))

    def interrupt(self) -> None:
        """Stop what runs now; may be called from any thread."""
        self._interrupted = True
        for connection in self._running:
            with contextlib.suppress(duckdb.ConnectionException):  # it has just ended
                connection.interrupt()

    def stop(self) -> None:
        """Stop what runs now, and whatever may come."""
        self._stopped = True
        self.interrupt()

    @contextlib.contextmanager
    def _transactions(self, path: Path) -> Iterator[tuple[DuckDBPyConnection, DuckDBPyConnection]]:
        """One snapshot of the journal to read, one transaction of the copy to write; both over at the end."""
        with self._journal.cursor() as source, duckdb.connect(path, config=_CONFIG) as target:
            self._running, self._interrupted = (source, target), self._stopped
            try:
                source.execute("BEGIN TRANSACTION READ ONLY")
                target.begin()
                yield source, target
                target.commit()
                target.execute("CHECKPOINT")
            except duckdb.Error as error:
                if self._interrupted:  # the error says so in different ways, whatever it hit
                    raise CopyStopped from error
                raise
            finally:
                self._running = ()

    def _insert_rows(
        self, source: DuckDBPyConnection, target: DuckDBPyConnection, table: str, where: str, values: dict[str, Any]
    ) -> None:
        """Add the rows that meet the condition to the table of the same name."""
        if self._stopped:
            raise CopyStopped
        # The condition is ours; what comes from outside is among the values.
        target.register("poured", _Stream(source.sql(f"FROM {table} {where}", params=values or None)))
        target.execute(f"INSERT INTO {table} BY NAME FROM poured")
        target.unregister("poured")


class _Stream:
    """A relation of one DuckDB as another one reads it."""

    def __init__(self, relation: duckdb.DuckDBPyRelation) -> None:
        self._relation = relation

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._relation.__arrow_c_stream__(requested_schema)


def _where_owner(table: str, owner: str | None) -> tuple[str, dict[str, Any]]:
    if owner is None:
        return "", {}
    if table == "runs":
        return "WHERE owner = $owner", {"owner": owner}
    return "WHERE run_id IN (SELECT run_id FROM runs WHERE owner = $owner)", {"owner": owner}


def _new_events(target: DuckDBPyConnection, run_ids: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """The events that the copy does not have of these runs: they are only ever added."""
    query = """
        SELECT wanted.run_id, coalesce(max(events.seq), 0)
        FROM (SELECT unnest($run_ids) AS run_id) AS wanted LEFT JOIN events ON events.run_id = wanted.run_id
        GROUP BY wanted.run_id
    """
    known = target.execute(query, {"run_ids": run_ids}).fetchall()
    where = """
        SEMI JOIN (SELECT unnest($run_ids) AS run_id, unnest($seqs) AS seq) AS known
        ON events.run_id = known.run_id AND events.seq > known.seq
        WHERE events.run_id BETWEEN $first AND $last
    """
    return where, _run_id_values(run_id for run_id, _ in known) | {"seqs": [seq for _, seq in known]}


def _run_id_values(run_ids: Iterable[str]) -> dict[str, Any]:
    """The values of `_CHOSEN`."""
    chosen = list(run_ids)
    return {"run_ids": chosen, "first": min(chosen, default=""), "last": max(chosen, default="")}


def _columns(source: DuckDBPyConnection, table: str) -> str:
    """The columns as the journal has them, for CREATE TABLE."""
    query = """
        SELECT column_name, data_type FROM duckdb_columns()
        WHERE table_name = $table AND NOT internal ORDER BY column_index
    """
    described = source.execute(query, {"table": table}).fetchall()
    return ", ".join(f'"{name}" {kind}' for name, kind in described)
