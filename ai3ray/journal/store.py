"""The journal on disk: live runs in memory, their history in one DuckDB file."""

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
"""Runs that one transaction deletes: commits of runs that are going wait for it."""


class DuckDBJournal:
    """The one writer of a home's `journal.duckdb`; open it with `open`.

    While the disk takes nothing, new runs are refused and those under way go on in memory: nothing of them is
    shown or acknowledged before it is on disk. See `Commits`.

    Args:
        file: the open file.
        clock: the time of day; read when a run begins and when old ones are deleted.
        monotonic: seconds by a clock that nobody sets: what a run's events are stamped by from there on.
        sql_limits: what strangers' queries may take.
        listener: follows entries and commits.
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
            path: the file; its folder is created, private, when missing.
            open_wait_s: seconds to wait for another process that holds the file.
            clock: the time of day.
            monotonic: seconds by a clock that nobody sets.
            sql_limits: what strangers' queries may take; the usual when absent.
            listener: follows entries and commits.

        Raises:
            JournalLocked: another process still holds it.
            JournalError: it cannot be opened; one line says why.
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
        """Give entries their place in the queue; see `Journal.put`. Needs a running event loop."""
        stamped, run, entry = self._sequencer.put(run_id, events, attempts, key, meta)
        if entry is not None:
            self._commits.put(entry)
            if self._listener is not None:
                self._listener.entries(run_id, stamped, attempts)
        # A key seen before: its entries are in this batch or an earlier one, and commits keep the order.
        return PutReceipt(stamped, self._commits.outcome, run)

    def state(self, run_id: str) -> RunState:
        """The live state; read from disk when the run is not in memory. Raises UnknownRun."""
        return self._sequencer.state(run_id)

    async def committed_state(self, run_id: str) -> RunState:
        """The state as far as it is on disk; see `Journal.committed_state`."""
        return await self._sequencer.committed_state(run_id)

    def now(self, run_id: str) -> str:
        """The time by the run's own clock. Raises UnknownRun."""
        return self._sequencer.now(run_id)

    def meta(self, run_id: str) -> RunMeta:
        """What is kept beside the run's history. Raises UnknownRun."""
        return self._sequencer.meta(run_id)

    def find_by_key(self, request_key: str) -> tuple[str, str | None] | None:
        """Run id and body hash of the run that came with this Idempotency-Key."""
        return self._sequencer.find_by_key(request_key)

    async def tail(self, run_id: str, after: int) -> Sequence[str]:
        """The committed events after `after`; see `Journal.tail`."""
        return await self._sequencer.tail(run_id, after)

    async def runs(self, limit: int = 50, before: str | None = None, *, owner: str | None = None) -> Sequence[RunRow]:
        """Committed runs, newest first; see `Journal.runs`."""
        return await asyncio.to_thread(self._tables.runs, limit, before, owner)

    async def stats(self, owner: str | None = None) -> Stats:
        """All committed runs in figures; those of one owner when one is named."""
        return await asyncio.to_thread(self._tables.stats, owner)

    async def spent_on(self, day: date) -> Sequence[tuple[str, float]]:
        """Owners and the US dollars that their calls of this UTC day cost, unknown bills at what they may be."""
        return await asyncio.to_thread(self._tables.spent_since, datetime.combine(day, midnight()))

    def open_runs(self) -> Sequence[str]:
        """Ids of runs whose last event is not in, oldest first."""
        return self._sequencer.open_runs()

    async def query(self, sql: str, *, max_rows: int = 10_000, timeout_s: float = 10.0) -> Table:
        """Run one SELECT over what is committed; see `SqlSource.query`."""
        return await self._console.query(sql, max_rows=max_rows, timeout_s=timeout_s)

    async def query_isolated(self, sql: str, *, max_rows: int = 10_000, owner: str | None = None) -> Table:
        """Run one SELECT in a process of its own, over a recent copy of what its owner may see.

        Args:
            sql: the SELECT.
            max_rows: the most rows of the answer.
            owner: whose runs it sees; None for everybody's.

        Raises:
            RequestError, Throttled, EngineError, JournalError: as `IsolatedSql.query`.
        """
        return await self._isolated.query(sql, max_rows=max_rows, owner=owner)

    async def prune(self, older_than_s: float, *, dry_run: bool = False) -> PruneReport:
        """Delete the runs that ended longer ago than this; see `Journal.prune`. The file's space is used again."""
        prunable = await asyncio.to_thread(self._tables.prunable, cutoff(self._clock(), older_than_s))
        if not dry_run:
            gone = self._sequencer.reserve_for_deletion(run.run_id for run in prunable)
            prunable = [run for run in prunable if run.run_id in gone]
            deletion = asyncio.create_task(self._delete([run.run_id for run in prunable]), name="journal-prune")
            self._deletions.add(deletion)
            deletion.add_done_callback(self._deletions.discard)
            await asyncio.shield(deletion)  # whoever asked may leave; a deletion that has begun is ended
        return prune_report(prunable, dry_run=dry_run)

    async def aclose(self) -> None:
        """Commit what is queued and release the file; further puts are refused. A second time does nothing."""
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
        """Delete hidden runs, in transactions that leave room for commits between them."""
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
        """For the writer's thread: no query runs inside of it, and no copying."""
        self._isolated.interrupt()
        with self._console.paused():
            yield
