"""The journal on disk: one writer thread that commits whatever has gathered since its last commit."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, time
from pathlib import Path
from typing import Self

import duckdb
from duckdb import DuckDBPyConnection

from ai3ray.domain.call import Attempt
from ai3ray.domain.events import Event, Stats, utc_now
from ai3ray.domain.run import RunState
from ai3ray.domain.views import PruneReport, RunRow, Table
from ai3ray.errors import JournalError
from ai3ray.journal.connection import connect, one_line
from ai3ray.journal.port import RunMeta
from ai3ray.journal.pruning import cutoff, report_of
from ai3ray.journal.rows import batch_of
from ai3ray.journal.sequencer import Barrier, Entry, Queued, Sequencer
from ai3ray.journal.sql_console import SqlConsole
from ai3ray.journal.sql_isolated import IsolatedSql
from ai3ray.journal.sql_process import SqlLimits
from ai3ray.journal.tables import Tables
from ai3ray.journal.writer import Writer

_DELETED_AT_ONCE = 200
"""Runs that one transaction deletes: commits of runs that are going wait for it."""


class DuckDBJournal:
    """The one writer of a home's `journal.duckdb`; open it with `open`.

    Commits are batched without a timer: while one is on its way to the disk, entries gather, and
    they are the next one. So an idle journal commits at once and a busy one in large batches.

    Args:
        connection: a connection that may write.
        path: its file.
        clock: gives the events' time stamps.
        sql_limits: what strangers' queries may take.
    """

    def __init__(
        self, connection: DuckDBPyConnection, path: Path, clock: Callable[[], str], sql_limits: SqlLimits
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._tables = Tables(connection)
        self._console = SqlConsole(connection)
        self._isolated = IsolatedSql(connection, path, clock, sql_limits)
        self._writer = Writer(connection.cursor())
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal-writer")
        self._sequencer = Sequencer(
            self._tables,
            clock=clock,
            open_runs=self._tables.open_runs(),
            request_keys=self._tables.request_keys(),
        )
        self._queue: list[Entry] = []
        self._barrier = Barrier()
        self._barrier.fall()
        self._drainer: asyncio.Task[None] | None = None
        self._deletions: set[asyncio.Task[None]] = set()
        self._closed = False

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        open_wait_s: float = 10.0,
        clock: Callable[[], str] = utc_now,
        sql_limits: SqlLimits | None = None,
    ) -> Self:
        """Open or create the journal.

        Args:
            path: the file; its folder is created, private, when missing.
            open_wait_s: seconds to wait for another process that holds the file.
            clock: gives the events' time stamps.
            sql_limits: what strangers' queries may take; the usual when absent.

        Raises:
            JournalLocked: another process still holds it.
            JournalError: it cannot be opened; one line says why.
        """
        connection = await connect(path, read_only=False, wait_s=open_wait_s)
        journal = cls(connection, path, clock, sql_limits or SqlLimits())
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
    ) -> Queued:
        """Give entries their place in the queue; see `Journal.put`. Needs a running event loop."""
        stamped, entry = self._sequencer.put(run_id, events, attempts, key, meta)
        if entry is not None:
            if not self._queue:
                self._barrier = Barrier()
            self._queue.append(entry)
            self._start_draining()
        # A key seen before: its entries are in this batch or an earlier one, and commits keep the order.
        return Queued(stamped, self._barrier)

    def state(self, run_id: str) -> RunState:
        """The live state; read from disk when the run is not in memory. Raises UnknownRun."""
        return self._sequencer.state(run_id)

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
        return await asyncio.to_thread(self._tables.spent_since, datetime.combine(day, time()))

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
        doomed = await asyncio.to_thread(self._tables.prunable, cutoff(self._clock(), older_than_s))
        if not dry_run:
            gone = self._sequencer.hide(run.run_id for run in doomed)
            doomed = [run for run in doomed if run.run_id in gone]
            deletion = asyncio.create_task(self._delete([run.run_id for run in doomed]), name="journal-prune")
            self._deletions.add(deletion)
            deletion.add_done_callback(self._deletions.discard)
            await asyncio.shield(deletion)  # whoever asked may leave; a deletion that has begun is ended
        return report_of(doomed, dry_run=dry_run)

    async def aclose(self) -> None:
        """Commit what is queued and release the file; further puts are refused. A second time does nothing."""
        if self._closed:
            return
        self._closed = True
        self._sequencer.refuse("the journal is closed")
        if ending := [task for task in (self._drainer, *self._deletions) if task is not None]:
            await asyncio.wait(ending)
        self._sequencer.stop("the journal is closed")
        await asyncio.gather(self._console.aclose(), self._isolated.aclose())
        await asyncio.get_running_loop().run_in_executor(self._thread, self._release)
        self._thread.shutdown(wait=False)

    def _start_draining(self) -> None:
        if self._drainer is None or self._drainer.done():
            self._drainer = asyncio.get_running_loop().create_task(self._drain(), name="journal-drain")

    async def _drain(self) -> None:
        while self._queue:
            entries, self._queue = self._queue, []
            barrier = self._barrier
            try:
                await asyncio.get_running_loop().run_in_executor(self._thread, self._commit, entries)
            except BaseException as error:  # the writer's edge: whoever waits has to hear of it, whatever it is
                self._give_up(barrier, error)
                if not isinstance(error, Exception):
                    raise
                return
            self._isolated.committed({entry.after.state.run_id for entry in entries})
            self._sequencer.commit(entries)
            barrier.fall()

    async def _delete(self, run_ids: Sequence[str]) -> None:
        """Delete hidden runs, in transactions that leave room for commits between them."""
        try:
            for first in range(0, len(run_ids), _DELETED_AT_ONCE):
                some = run_ids[first : first + _DELETED_AT_ONCE]
                await self._in_writer(self._writer.delete, some)
                self._isolated.deleted()
                self._sequencer.forget(some)
            if run_ids:
                await self._in_writer(self._reclaim)
        finally:
            self._sequencer.reveal(run_ids)

    async def _in_writer(self, work: Callable[..., None], *args: object) -> None:
        """Do it in the writer's thread, between two commits. Raises JournalError."""
        if self._closed:
            raise JournalError("the journal is closed")
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, work, *args)
        except duckdb.Error as error:
            raise JournalError(f"the journal cannot delete: {one_line(error)}") from error

    def _reclaim(self) -> None:
        with contextlib.suppress(duckdb.TransactionException):  # somebody reads: the next checkpoint does it
            self._writer.checkpoint()

    def _commit(self, entries: Sequence[Entry]) -> None:
        batch = batch_of(entries)
        try:
            self._writer.write(batch)
        except (duckdb.OutOfMemoryException, duckdb.TransactionException):  # the second follows on the first
            self._isolated.interrupt()
            with self._console.silenced():  # users' queries share the memory with the writer, which goes first
                self._writer.write(batch)

    def _give_up(self, barrier: Barrier, error: BaseException) -> None:
        """Memory is ahead of the disk for good: refuse all that is on its way and all that may come."""
        reason = f"the journal cannot write, nothing further is accepted: {one_line(error)}"
        self._sequencer.stop(reason)
        self._queue.clear()
        barrier.fall(reason)
        self._barrier.fall(reason)

    def _release(self) -> None:
        # After a failed commit the log holds all that was acknowledged; the next opening replays it.
        with contextlib.suppress(duckdb.Error):
            self._writer.checkpoint()
        self._writer.close()
        self._connection.close()
