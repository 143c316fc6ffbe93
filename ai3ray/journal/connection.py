"""Opening the journal's file: who may, with which limits, and what it says when that fails."""

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

# DuckDB takes every core and most of the memory when not told otherwise, and can read any file.
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "threads": 2,
    "memory_limit": "1GB",  # users' queries are stopped at half of it
    # Nothing is spilled to the disk the journal lives on; `max_temp_directory_size` does not see to that.
    "temp_directory": "",
    # A checkpoint that fails for want of space ends the database, and within a commit nobody knows what
    # became of it. So commits only write to the log, and checkpoints are made apart from them.
    "wal_autocheckpoint": "1TB",
    # Of a new file. Every checkpoint begins new blocks, and most runs are small.
    "default_block_size": 16384,
    # Measured: a checkpoint that also merges what earlier ones have written takes up to 1.2 s instead of
    # 0.05 s, and leaves the file half empty. `compact` merges, when nobody waits.
    "max_vacuum_tasks": 0,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
}
_MERGED_AT_ONCE = 100
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
            return await asyncio.to_thread(open_database, path, read_only=read_only)
        except JournalLocked:
            if clock() + pause > give_up:
                raise
        # No system tells when a file lock falls, so there is nothing to wait for but time.
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_S)


def open_database(path: Path, *, read_only: bool = False, is_new: bool = True) -> DuckDBPyConnection:
    """Open the file now.

    Args:
        path: the file.
        read_only: a file that is not there is an empty journal in memory.
        is_new: to this process; one that was open before has its schema already.

    Raises:
        JournalLocked, JournalError: as `connect`.
    """
    try:
        if read_only and not path.exists():
            return _set_up(duckdb.connect(config=_CONFIG), migrates=True)
        if is_new and not read_only:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A second connection of this process would share the first one's lock. A token of its own
        # makes its configuration different, which DuckDB refuses.
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
    """Merge the pieces that many small checkpoints have left in the file. Raises as `open_database`."""
    try:
        with duckdb.connect(path, config={**_CONFIG, "max_vacuum_tasks": _MERGED_AT_ONCE}) as connection:
            connection.execute("COMMENT ON TABLE schema_version IS NULL")  # what has not changed is not written
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
    """What to do about the errors that every disk has one day."""
    if any(os.strerror(code) in why for code in (errno.EACCES, errno.EPERM, errno.EROFS)):
        return "; make it and its folder writable, or set AI3_HOME to a folder that is"
    if any(os.strerror(code) in why for code in (errno.ENOSPC, errno.EDQUOT)):
        return "; free space on its disk, or set AI3_HOME to a folder that has some"
    return ""


def _set_up(connection: DuckDBPyConnection, *, migrates: bool) -> DuckDBPyConnection:
    try:
        # Readers in one process share one database: what the first has locked is set for all.
        if connection.execute("SELECT current_setting('lock_configuration')").fetchall() != [(True,)]:
            # Comparing a TIMESTAMP with now() goes through the session's zone.
            connection.execute("SET GLOBAL TimeZone = 'UTC'")
            connection.execute("SET enable_external_access = false")  # after that, no folder can be set any more
            connection.execute("SET lock_configuration = true")
        check_version(connection, or_older=migrates)
        if migrates:
            migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection
