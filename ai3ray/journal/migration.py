"""Bring the schema of a journal's file up to date."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from duckdb import DuckDBPyConnection

from ai3ray.errors import JournalError
from ai3ray.sql.journal_views import views
from ai3ray.sql.statements import named_statements

_SQL = Path(__file__).with_suffix(".sql")
_STEPS = ("schema_1.sql", "schema_2.sql")


def check_version(connection: DuckDBPyConnection, *, or_older: bool) -> None:
    """Raise JournalError when the schema is not the newest; with `or_older`, only when it is newer."""
    newest = len(migrations())
    version = _version(connection)
    if version > newest:
        raise JournalError(f"the journal has schema {version}, but this ai3ray supports {newest}: use a newer ai3ray")
    if version < newest and not or_older:
        raise JournalError(
            f"the journal has schema {version}, older than {newest}: run `ai3 up` to bring it up to date"
        )


def migrate(connection: DuckDBPyConnection) -> None:
    """Apply all missing steps and the views in one transaction.

    An up-to-date file is not written to, so that it can be opened on a full disk.
    """
    steps, statements = migrations(), named_statements(_SQL)
    views_hash = sha256(views().encode()).hexdigest()
    version = _version(connection)
    if version == len(steps) and connection.execute(statements["views_hash"]).fetchall() == [(views_hash,)]:
        return
    connection.begin()
    connection.execute(statements["create_version_table"])
    for number, step in enumerate(steps[version:], version + 1):
        connection.execute(step)
        connection.execute(statements["add_version"], {"version": number})
    connection.execute(views())
    connection.execute(statements["set_views_hash"].format(hash=views_hash))
    connection.commit()


def migrations() -> tuple[str, ...]:
    """Return the steps from an empty file to the newest schema; step `n` leads to version `n`."""
    return tuple(Path(__file__).with_name(name).read_text(encoding="utf-8") for name in _STEPS)


def _version(connection: DuckDBPyConnection) -> int:
    """Return the schema's version; 0 for a file without a schema."""
    statements = named_statements(_SQL)
    if connection.execute(statements["has_version_table"]).fetchall() == [(0,)]:
        return 0
    return int(connection.execute(statements["version"]).fetchall()[0][0])
