"""The journal on disk, in one DuckDB file."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from datetime import time as midnight
from functools import partial
from pathlib import Path
from typing import Self

from ai3ray.domain.call import Attempt
from ai3ray.domain.events import Event, Stats, utc_now
from ai3ray.domain.listings import PruneReport, RunRow, Table
from ai3ray.domain.run import RunState
from ai3ray.journal.commits import CommitQueue
from ai3ray.journal.connection import connect
from ai3ray.journal.database import JournalDatabase
from ai3ray.journal.entries import PutReceipt
from ai3ray.journal.port import JournalListener, RunMeta
from ai3ray.journal.pruning import cutoff, prune_report
from ai3ray.journal.run_clock import Clock, Monotonic, RunClock
from ai3ray.journal.sequencer import Sequencer
from ai3ray.journal.tables import JournalTables
from ai3ray.sql.console import SqlConsole
from ai3ray.sql.isolated.desk import IsolatedSql
from ai3ray.sql.isolated.query_process import SqlLimits

_DELETED_AT_ONCE = 200
"""Runs that one transaction deletes; commits wait for it."""


class DuckDBJournal:
    """The only writer of a home's `journal.duckdb`; open it with `open`.

    While the disk refuses writes, new runs are refused and others continue in memory; nothing is shown or acknowledged
    before it is on disk.
    """

    def __init__(
        self,
        database: JournalDatabase,
        *,
        clock: Clock,
        monotonic: Monotonic,
        sql_limits: SqlLimits,
        listener: JournalListener | None = None,
    ) -> None:
        self._database = database
        self._listener = listener
        self._clock = clock
        new_clock = partial(RunClock, clock=clock, monotonic=monotonic)
        self._tables = JournalTables(database, new_clock)
        self._console = SqlConsole(database)
        self._isolated = IsolatedSql(database, database.path, clock, sql_limits)
        self._sequencer = Sequencer(
            self._tables,
            new_clock=new_clock,
            open_runs=self._tables.open_runs(),
            request_keys=self._tables.request_keys(),
            newest=self._tables.newest(),
        )
        self._commits = CommitQueue(
            database, self._sequencer, on_commit=self._on_commit, pause_queries=self._pause_queries
        )
        self._deletions: set[asyncio.Task[None]] = set()
        self._closed = False

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        open_wait_s: float = 10.0,
        clock: Clock = utc_now,
        monotonic: Monotonic = time.monotonic,
        sql_limits: SqlLimits | None = None,
        listener: JournalListener | None = None,
    ) -> Self:
        """Open or create the journal.

        Args:
            path: the file; a missing folder is created, private.
            open_wait_s: seconds to wait while another process holds the file.
            clock: the time of day, as for `RunClock`.
            monotonic: seconds, as for `RunClock`.
            sql_limits: the limits of isolated queries.
            listener: follows entries and commits.

        Raises:
            JournalLocked: another process still holds it.
            JournalError: it cannot be opened.
        """
        database = JournalDatabase(await connect(path, read_only=False, wait_s=open_wait_s), path)
        journal = cls(
            database, clock=clock, monotonic=monotonic, sql_limits=sql_limits or SqlLimits(), listener=listener
        )
        await journal._isolated.clear()
        return journal

    def put(
        self,
        run_id: str,
        events: Sequence[Event] = (),
        attempts: Sequence[Attempt] = (),
        *,
        key: str | None = None,
        meta: RunMeta | None = None,
    ) -> PutReceipt:
        """Queue entries, as `Journal.put`. Needs a running event loop."""
        stamped, run, entry = self._sequencer.put(run_id, events, attempts, key, meta)
        if entry is not None:
            self._commits.put(entry)
            if self._listener is not None:
                self._listener.entries(run_id, stamped, attempts)
        # The entries of a repeated key are in this batch or an earlier one, and commits keep the order.
        return PutReceipt(stamped, self._commits.outcome, run)

    def state(self, run_id: str) -> RunState:
        """Return the live state, loaded when it is not in memory. Raises UnknownRun."""
        return self._sequencer.state(run_id)

    async def committed_state(self, run_id: str) -> RunState:
        """Return the state on disk. Raises UnknownRun."""
        return await self._sequencer.committed_state(run_id)

    def now(self, run_id: str) -> str:
        """Return the time of the run's clock. Raises UnknownRun."""
        return self._sequencer.now(run_id)

    def meta(self, run_id: str) -> RunMeta:
        """Return the run's meta data. Raises UnknownRun."""
        return self._sequencer.meta(run_id)

    def find_by_key(self, request_key: str) -> tuple[str, str | None] | None:
        """Return run id and body hash for this Idempotency-Key."""
        return self._sequencer.find_by_key(request_key)

    async def tail(self, run_id: str, after: int) -> Sequence[str]:
        """Return the committed events after `after`, as `Journal.tail`."""
        return await self._sequencer.tail(run_id, after)

    async def runs(self, limit: int = 50, before: str | None = None, *, owner: str | None = None) -> Sequence[RunRow]:
        """List committed runs, newest first, as `Journal.runs`."""
        return await asyncio.to_thread(self._tables.runs, limit, before, owner)

    async def stats(self, owner: str | None = None) -> Stats:
        """Sum up all committed runs, or those of one owner."""
        return await asyncio.to_thread(self._tables.stats, owner)

    async def spent_on(self, day: date) -> Sequence[tuple[str, float]]:
        """Return each owner's cost of this UTC day in US dollars; unknown bills count as reserved."""
        return await asyncio.to_thread(self._tables.spent_since, datetime.combine(day, midnight()))

    def open_runs(self) -> Sequence[str]:
        """Return the ids of incomplete runs, oldest first."""
        return self._sequencer.open_runs()

    async def query(self, sql: str, *, max_rows: int = 10_000, timeout_s: float = 10.0) -> Table:
        """Run one SELECT over what is committed, as `SqlSource.query`."""
        return await self._console.query(sql, max_rows=max_rows, timeout_s=timeout_s)

    async def query_isolated(self, sql: str, *, max_rows: int = 10_000, owner: str | None = None) -> Table:
        """Run one SELECT in its own process, over a recent copy of one owner's runs, as `IsolatedSql.query`."""
        return await self._isolated.query(sql, max_rows=max_rows, owner=owner)

    async def prune(self, older_than_s: float, *, dry_run: bool = False) -> PruneReport:
        """Delete old runs, as `Journal.prune`. Their space in the file is reused."""
        prunable = await asyncio.to_thread(self._tables.prunable, cutoff(self._clock(), older_than_s))
        if not dry_run:
            gone = self._sequencer.reserve_for_deletion(run.run_id for run in prunable)
            prunable = [run for run in prunable if run.run_id in gone]
            deletion = asyncio.create_task(self._delete([run.run_id for run in prunable]), name="journal-prune")
            self._deletions.add(deletion)
            deletion.add_done_callback(self._deletions.discard)
            await asyncio.shield(deletion)  # a deletion continues without its caller
        return prune_report(prunable, dry_run=dry_run)

    async def aclose(self) -> None:
        """Commit what is queued and release the file; refuse further puts. A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        self._sequencer.refuse("the journal is closed")
        if self._deletions:
            await asyncio.wait(self._deletions)
        await self._commits.drain()
        self._sequencer.stop("the journal is closed")
        await asyncio.gather(self._console.aclose(), self._isolated.aclose())
        await self._commits.aclose()

    async def _delete(self, run_ids: Sequence[str]) -> None:
        """Delete hidden runs, in transactions with time for commits between them."""
        try:
            for first in range(0, len(run_ids), _DELETED_AT_ONCE):
                some = run_ids[first : first + _DELETED_AT_ONCE]
                await self._commits.delete(some)
                self._isolated.deleted()
                self._sequencer.forget(some)
            if run_ids:
                await self._commits.checkpoint()
        finally:
            self._sequencer.release(run_ids)

    def _on_commit(self, run_ids: set[str]) -> None:
        self._isolated.committed(run_ids)
        if self._listener is not None:
            self._listener.committed(run_ids)

    @contextlib.contextmanager
    def _pause_queries(self) -> Iterator[None]:
        """Stop queries and copies inside the block; for the writer's thread."""
        self._isolated.interrupt()
        with self._console.paused():
            yield
