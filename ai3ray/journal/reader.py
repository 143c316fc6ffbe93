"""Read the journal's file while no process writes it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from duckdb import DuckDBPyConnection

from ai3ray.domain.events import Stats
from ai3ray.domain.listings import RunRow, Table
from ai3ray.domain.result import RunResult, run_result
from ai3ray.domain.run import RunState
from ai3ray.errors import UnknownRun
from ai3ray.journal.connection import connect
from ai3ray.journal.tables import JournalTables
from ai3ray.sql.console import SqlConsole


class JournalReader:
    """A journal opened read-only with `open`."""

    def __init__(self, connection: DuckDBPyConnection) -> None:
        self._connection = connection
        self._tables = JournalTables(connection)
        self._console = SqlConsole(connection)

    @classmethod
    async def open(cls, path: Path, *, open_wait_s: float = 0.0) -> Self:
        """Open the journal; a missing file is an empty journal.

        Args:
            path: the file.
            open_wait_s: seconds to wait while a writer holds the file.

        Raises:
            JournalLocked: a writer holds it; `pid` names it.
            JournalError: it cannot be opened.
        """
        return cls(await connect(path, read_only=True, wait_s=open_wait_s))

    async def state(self, run_id: str) -> RunState:
        """Return the run's state. Raises UnknownRun."""
        run = await asyncio.to_thread(self._tables.load, run_id)
        if run is None:
            raise UnknownRun(f"there is no run {run_id!r}")
        return run.state

    async def result(self, run_id: str) -> RunResult:
        """Return the run as JSON shows it. Raises UnknownRun."""
        return run_result(await self.state(run_id))

    async def lines(self, run_id: str, after: int = 0) -> Sequence[str]:
        """Return the run's events after `after` as lines of JSON, without waiting. Raises UnknownRun."""
        lines = await asyncio.to_thread(self._tables.lines, run_id, after)
        if lines is None:
            raise UnknownRun(f"there is no run {run_id!r}")
        return lines

    async def runs(self, limit: int = 50, before: str | None = None) -> Sequence[RunRow]:
        """List runs, newest first; the page starts after the run `before`."""
        return await asyncio.to_thread(self._tables.runs, limit, before)

    async def stats(self) -> Stats:
        """Sum up all runs."""
        return await asyncio.to_thread(self._tables.stats)

    async def query(self, sql: str, *, max_rows: int = 10_000, timeout_s: float = 10.0) -> Table:
        """Run one SELECT. Raises RequestError for anything else and for SQL errors."""
        return await self._console.query(sql, max_rows=max_rows, timeout_s=timeout_s)

    async def aclose(self) -> None:
        """Release the file."""
        await self._console.aclose()
        self._connection.close()
