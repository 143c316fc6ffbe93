"""Answer queries in processes of their own, on copies with the owner's runs."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ai3ray.child.resource_limits import lower_thread_priority
from ai3ray.domain.listings import Table
from ai3ray.errors import EngineError, JournalError, RequestError, Throttled
from ai3ray.sql.isolated.changes import ChangedRuns
from ai3ray.sql.isolated.copy import CopyWriter
from ai3ray.sql.isolated.query_process import CopyUnreadable, SqlLimits, start_query_process
from ai3ray.sql.isolated.queue import QueryQueue
from ai3ray.sql.isolated.replica import CopyContext, Generation, Replica
from ai3ray.sql.port import CursorSource


class IsolatedSql:
    """Isolated SQL over one journal, with its copies in the folder `sql` beside the journal's file."""

    def __init__(self, connection: CursorSource, journal: Path, clock: Callable[[], str], limits: SqlLimits) -> None:
        self._limits = limits
        self._folder = journal.parent / "sql"
        self._writer = CopyWriter(connection)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal-sql-copy", initializer=lower_thread_priority)
        self._changes = ChangedRuns()
        self._context = CopyContext(journal, self._folder, self._writer, self._changes, clock, self._thread)
        self._queue = QueryQueue(limits.max_running, limits.max_wait_s)
        self._replicas: dict[str | None, Replica] = {}
        self._idle_timers: dict[str | None, asyncio.TimerHandle] = {}
        self._queries: set[asyncio.Task[Table]] = set()
        self._removals: set[asyncio.Task[None]] = set()
        self._closed = False

    async def clear(self) -> None:
        """Delete the copies that an earlier process left."""
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    def committed(self, run_ids: Iterable[str]) -> None:
        """Record a commit of these runs: after it is on disk and before it is announced."""
        self._changes.note(run_ids)

    def deleted(self) -> None:
        """Record a deletion of runs, which the copies then leave out."""
        self._changes.note_deletion()

    async def query(self, sql: str, *, max_rows: int = 10_000, owner: str | None = None) -> Table:
        """Run one SELECT over the runs of one owner, or over all runs when `owner` is None.

        Raises:
            RequestError: the query is not one SELECT, is wrong, or exceeded a limit and was stopped.
            Throttled: too many queries are running, or the copy is still being written.
            EngineError: the copy cannot be written, or the process does not start.
            JournalError: the journal is closed.
        """
        if len(sql) > self._limits.query_chars:
            raise RequestError(f"a query can have at most {self._limits.query_chars:,} characters", "sql")
        if self._closed:
            raise JournalError("the journal is closed")
        query_task = asyncio.create_task(self._queued_answer(sql, max_rows, owner), name="journal-sql-query")
        self._queries.add(query_task)
        query_task.add_done_callback(self._queries.discard)
        try:
            return await query_task
        except asyncio.CancelledError:
            if self._closed:  # closing cancelled the query, not the caller
                raise JournalError("the journal is closed") from None
            raise

    def interrupt(self) -> None:
        """Stop the copy that is being written, from any thread."""
        self._writer.interrupt()

    async def aclose(self) -> None:
        """Stop the queries and delete the copies."""
        self._closed = True
        self._writer.stop()
        for query_task in self._queries:
            query_task.cancel()
        if self._queries:
            await asyncio.wait(self._queries)
        for owner in tuple(self._replicas):
            self._remove(owner)
        if self._removals:
            await asyncio.wait(self._removals)
        await self.clear()
        self._thread.shutdown(wait=False)

    async def _queued_answer(self, sql: str, max_rows: int, owner: str | None) -> Table:
        async with self._queue.slot(owner):
            try:
                return await self._answer(sql, max_rows, owner)
            except CopyUnreadable:  # a failing disk or a changed file: try once more with a new copy
                with contextlib.suppress(CopyUnreadable):
                    return await self._answer(sql, max_rows, owner)
                raise EngineError("the copy of the journal that SQL reads cannot be read; try again") from None

    async def _answer(self, sql: str, max_rows: int, owner: str | None) -> Table:
        # The process starts while the copy is written.
        async with start_query_process(self._limits.answer_bytes) as process, self._copy(owner) as (replica, copy):
            try:
                table = await process.answer(copy.path, sql, max_rows, self._limits)
            except CopyUnreadable:
                replica.discard(copy)
                raise
            return table.model_copy(update={"as_of": copy.as_of})

    @contextlib.asynccontextmanager
    async def _copy(self, owner: str | None) -> AsyncIterator[tuple[Replica, Generation]]:
        replica = self._replica(owner)
        async with contextlib.AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(self._limits.copy_wait_s):
                    copy = await stack.enter_async_context(replica.fresh(self._limits.copy_age_s))
            except TimeoutError:
                wait_s = self._limits.max_wait_s
                raise Throttled("the copy of the journal is still being written; try again soon", wait_s) from None
            self._forget_old_changes()
            yield replica, copy

    def _replica(self, owner: str | None) -> Replica:
        """Return the owner's replica, and remove the longest idle ones beyond the limit."""
        replica = self._replicas.pop(owner, None) or Replica(self._context, owner)
        idle = [other for other, kept in self._replicas.items() if not kept.busy]
        for other in idle[: max(0, len(self._replicas) + 1 - self._limits.copies)]:
            self._remove(other)
        self._replicas[owner] = replica  # the latest used comes last
        self._restart_idle_timer(owner)
        return replica

    def _restart_idle_timer(self, owner: str | None) -> None:
        """Remove the replica after its idle time, counted from now."""
        if owner in self._idle_timers:
            self._idle_timers[owner].cancel()
        loop = asyncio.get_running_loop()
        self._idle_timers[owner] = loop.call_later(self._limits.copy_idle_s, self._remove_if_idle, owner)

    def _remove_if_idle(self, owner: str | None) -> None:
        if self._replicas[owner].busy:
            self._restart_idle_timer(owner)
        else:
            self._remove(owner)

    def _remove(self, owner: str | None) -> None:
        self._idle_timers.pop(owner).cancel()
        removal = asyncio.create_task(self._replicas.pop(owner).remove(), name="journal-sql-remove")
        self._removals.add(removal)
        removal.add_done_callback(self._removals.discard)
        self._forget_old_changes()

    def _forget_old_changes(self) -> None:
        """Forget the changes from before the oldest copy."""
        marks = [replica.oldest_mark for replica in self._replicas.values()]
        self._changes.forget(min((mark for mark in marks if mark is not None), default=None))
