"""Opening the journal's file: who may, with which limits, and with which schema."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from ai3ray.errors import JournalError, JournalLocked
from ai3ray.journal.sql_files import migrations, views

# DuckDB takes every core and most of the memory when not told otherwise, and can read any file.
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "threads": 2,
    "memory_limit": "1GB",  # users' queries are stopped at half of it
    # Nothing is spilled to the disk the journal lives on; `max_temp_directory_size` does not see to that.
    "temp_directory": "",
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
}
_HOLDER = re.compile(r"\(PID (\d+)\)")
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 0.5


async def connect(path: Path, *, read_only: bool, wait_s: float) -> DuckDBPyConnection:
    """Open the file, for at most `wait_s` seconds again and again while somebody else holds it.

    A writer creates the file and its folder, and brings the schema up to date. A reader of a file
    that is not there yet gets an empty journal in memory.

    Raises:
        JournalLocked: another process still holds it.
        JournalError: it cannot be opened; one line says why.
    """
    clock = asyncio.get_running_loop().time
    give_up, pause = clock() + wait_s, _FIRST_PAUSE_S
    while True:
        try:
            return await asyncio.to_thread(_connect, path, read_only)
        except JournalLocked:
            if clock() + pause > give_up:
                raise
        # No system tells when a file lock falls, so there is nothing to wait for but time.
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_S)


def one_line(error: BaseException) -> str:
    """DuckDB's message without the excerpt of the query that it draws below."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    excerpt = next((n for n, line in enumerate(lines) if line.startswith("LINE ")), len(lines))
    return " ".join(line.strip() for line in lines[:excerpt] if line.strip())


def _connect(path: Path, read_only: bool) -> DuckDBPyConnection:
    try:
        if read_only and not path.exists():
            return _set_up(duckdb.connect(config=_CONFIG), migrate=True)
        if not read_only:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A second connection of this process would share the first one's lock. A token of its own
        # makes its configuration different, which DuckDB refuses.
        config = _CONFIG if read_only else {**_CONFIG, "custom_user_agent": os.urandom(8).hex()}
        connection = duckdb.connect(path, read_only=read_only, config=config)
        return _set_up(connection, migrate=not read_only)
    except duckdb.ConnectionException as error:
        raise _locked(path, os.getpid()) from error
    except duckdb.Error as error:
        if "Could not set lock" in str(error):
            holder = _HOLDER.search(str(error))
            raise _locked(path, int(holder[1]) if holder else None) from error
        raise JournalError(f"cannot open the journal: {one_line(error)}") from error
    except OSError as error:
        raise JournalError(f"cannot open the journal {path}: {error.strerror or error}") from error


def _locked(path: Path, pid: int | None) -> JournalLocked:
    holder = f"process {pid}" if pid else "another process"
    return JournalLocked(f"the journal {path} is in use by {holder}; stop it (`ai3 down`) or wait until it ends", pid)


def _set_up(connection: DuckDBPyConnection, *, migrate: bool) -> DuckDBPyConnection:
    try:
        # Readers in one process share one database: what the first has locked is set for all.
        if connection.execute("SELECT current_setting('lock_configuration')").fetchall() != [(True,)]:
            # Comparing a TIMESTAMP with now() goes through the session's zone.
            connection.execute("SET GLOBAL TimeZone = 'UTC'")
            connection.execute("SET enable_external_access = false")  # after that, no folder can be set any more
            connection.execute("SET lock_configuration = true")
        _check_version(connection, migrate=migrate)
    except BaseException:
        connection.close()
        raise
    return connection


def _check_version(connection: DuckDBPyConnection, *, migrate: bool) -> None:
    steps = migrations()
    version = _version(connection)
    if version > len(steps):
        raise JournalError(f"the journal has schema {version}, this ai3ray knows {len(steps)}: use a newer ai3ray")
    if migrate:
        _migrate(connection, version, steps)
    elif version < len(steps):
        raise JournalError(f"the journal has schema {version}, older than {len(steps)}: `ai3 up` brings it up to date")


def _version(connection: DuckDBPyConnection) -> int:
    """0 for a file without a schema."""
    has_table = "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'schema_version'"
    if connection.execute(has_table).fetchall() == [(0,)]:
        return 0
    return int(connection.execute("SELECT coalesce(max(version), 0) FROM schema_version").fetchall()[0][0])


def _migrate(connection: DuckDBPyConnection, version: int, steps: tuple[str, ...]) -> None:
    """All missing steps and the views in one transaction: an old file is whole, or new."""
    connection.begin()
    connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, applied_at TIMESTAMP)")
    for number, step in enumerate(steps[version:], version + 1):
        connection.execute(step)
        connection.execute("INSERT INTO schema_version VALUES (?, now()::TIMESTAMP)", [number])
    connection.execute(views())
    connection.commit()
