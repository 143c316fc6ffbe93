"""Which schema a file has, and bringing an older one up to date."""

from __future__ import annotations

from hashlib import sha256

from duckdb import DuckDBPyConnection

from ai3ray.errors import JournalError
from ai3ray.journal.statements import migrations
from ai3ray.sql.journal_views import views


def check_version(connection: DuckDBPyConnection, *, or_older: bool) -> None:
    """Refuse a file whose schema is not this version's.

    Args:
        connection: to the file.
        or_older: an older schema is welcome, because it is going to be brought up to date.

    Raises:
        JournalError: it is another one; the message says what to do.
    """
    newest = len(migrations())
    version = _version(connection)
    if version > newest:
        raise JournalError(f"the journal has schema {version}, this ai3ray knows {newest}: use a newer ai3ray")
    if version < newest and not or_older:
        raise JournalError(f"the journal has schema {version}, older than {newest}: `ai3 up` brings it up to date")


def migrate(connection: DuckDBPyConnection) -> None:
    """All missing steps and the views in one transaction: an old file is whole, or new.

    A file that is up to date is not written to, so that it can be opened on a full disk.
    """
    steps, mark = migrations(), _mark()
    version = _version(connection)
    if version == len(steps) and _marked(connection) == mark:
        return
    connection.begin()
    connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, applied_at TIMESTAMP)")
    for number, step in enumerate(steps[version:], version + 1):
        connection.execute(step)
        connection.execute("INSERT INTO schema_version VALUES (?, now()::TIMESTAMP)", [number])
    connection.execute(views())
    connection.execute(f"COMMENT ON VIEW model_stats IS '{mark}'")
    connection.commit()


def _version(connection: DuckDBPyConnection) -> int:
    """0 for a file without a schema."""
    has_table = "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'schema_version'"
    if connection.execute(has_table).fetchall() == [(0,)]:
        return 0
    return int(connection.execute("SELECT coalesce(max(version), 0) FROM schema_version").fetchall()[0][0])


def _mark() -> str:
    """Tells these telemetry views from others; kept in the file as the comment of one of them."""
    return sha256(views().encode()).hexdigest()


def _marked(connection: DuckDBPyConnection) -> str | None:
    found = connection.execute("SELECT comment FROM duckdb_views() WHERE view_name = 'model_stats'").fetchall()
    return found[0][0] if found else None
