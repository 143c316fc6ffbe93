"""Open the journal's file with its settings, and explain a failure."""

from __future__ import annotations

import asyncio
import errno
import os
import re
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from ai3ray.errors import JournalError, JournalLocked
from ai3ray.journal.migration import check_version, migrate
from ai3ray.sql.values import one_line

# By default DuckDB uses every core and most of the memory, and can read any file.
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "threads": 2,
    "memory_limit": "1GB",  # users' queries are stopped at half of it
    # Nothing is spilled to the journal's disk; `max_temp_directory_size` does not prevent it.
    "temp_directory": "",
    # A checkpoint without enough space ends the database, and within a commit its fate would be unknown.
    # So commits only write to the log, and checkpoints are separate.
    "wal_autocheckpoint": "1TB",
    # For new files: every checkpoint begins new blocks, and most runs are small.
    "default_block_size": 16384,
    # Measured: a checkpoint that also merges earlier ones takes up to 1.2 s instead of 0.05 s, and leaves the
    # file half empty. `compact` merges instead, at the end.
    "max_vacuum_tasks": 0,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
}
_MERGED_AT_ONCE = 100
_HOLDER = re.compile(r"\(PID (\d+)\)")
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 0.5


async def connect(path: Path, *, read_only: bool, wait_s: float) -> DuckDBPyConnection:
    """Open the file; retry for `wait_s` seconds while another process holds it.

    A writer creates the file and its folder, and brings the schema up to date. A reader of a missing file gets an
    empty journal in memory.

    Raises:
        JournalLocked: another process still holds it.
        JournalError: it cannot be opened.
    """
    clock = asyncio.get_running_loop().time
    give_up, pause = clock() + wait_s, _FIRST_PAUSE_S
    while True:
        try:
            return await asyncio.to_thread(open_database, path, read_only=read_only)
        except JournalLocked:
            if clock() + pause > give_up:
                raise
        # No system announces the release of a file lock.
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_S)


def open_database(path: Path, *, read_only: bool = False, is_new: bool = True) -> DuckDBPyConnection:
    """Open the file as `connect` does, with one attempt. Unless `is_new`, its schema is known to be up to date."""
    try:
        if read_only and not path.exists():
            return _set_up(duckdb.connect(config=_CONFIG), migrates=True)
        if is_new and not read_only:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A second connection of this process would share the first one's lock. DuckDB refuses it when its
        # configuration differs, so each gets a token of its own.
        config = _CONFIG if read_only else {**_CONFIG, "custom_user_agent": os.urandom(8).hex()}
        connection = duckdb.connect(path, read_only=read_only, config=config)
        return _set_up(connection, migrates=is_new and not read_only)
    except duckdb.ConnectionException as error:
        raise _locked(path, os.getpid()) from error
    except duckdb.Error as error:
        if "Could not set lock" in str(error):
            holder = _HOLDER.search(str(error))
            raise _locked(path, int(holder[1]) if holder else None) from error
        raise _cannot_open(path, one_line(error)) from error
    except OSError as error:
        raise _cannot_open(path, error.strerror or str(error)) from error


def compact(path: Path) -> None:
    """Merge the pieces that many small checkpoints have left in the file. Raises JournalError."""
    try:
        with duckdb.connect(path, config={**_CONFIG, "max_vacuum_tasks": _MERGED_AT_ONCE}) as connection:
            connection.execute("COMMENT ON TABLE schema_version IS NULL")  # a checkpoint needs a change
            connection.execute("CHECKPOINT")
    except duckdb.Error as error:
        raise _cannot_open(path, one_line(error)) from error


def _locked(path: Path, pid: int | None) -> JournalLocked:
    holder = f"process {pid}" if pid else "another process"
    return JournalLocked(f"the journal {path} is in use by {holder}; stop it (`ai3 down`) or wait until it ends", pid)


def _cannot_open(path: Path, why: str) -> JournalError:
    where = "" if str(path) in why else f" {path}"
    return JournalError(f"cannot open the journal{where}: {why}{_remedy(why)}")


def _remedy(why: str) -> str:
    """Return the remedy for a common error of disks; empty for others."""
    if any(os.strerror(code) in why for code in (errno.EACCES, errno.EPERM, errno.EROFS)):
        return "; make it and its folder writable, or set AI3_HOME to a folder that is"
    if any(os.strerror(code) in why for code in (errno.ENOSPC, errno.EDQUOT)):
        return "; free space on its disk, or set AI3_HOME to a folder that has some"
    return ""


def _set_up(connection: DuckDBPyConnection, *, migrates: bool) -> DuckDBPyConnection:
    try:
        # Readers in one process share one database, which the first has set up.
        if connection.execute("SELECT current_setting('lock_configuration')").fetchall() != [(True,)]:
            # A comparison of a TIMESTAMP with now() uses the session's zone.
            connection.execute("SET GLOBAL TimeZone = 'UTC'")
            connection.execute("SET enable_external_access = false")  # afterwards no folder can be set
            connection.execute("SET lock_configuration = true")
        check_version(connection, or_older=migrates)
        if migrates:
            migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection
