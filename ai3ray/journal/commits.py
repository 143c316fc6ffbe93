"""Commit queued entries to disk in batches, in one thread."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import duckdb

from ai3ray.errors import JournalError
from ai3ray.journal.connection import compact
from ai3ray.journal.database import JournalDatabase
from ai3ray.journal.disk_errors import DiskWriteError, failure_message, retry_message
from ai3ray.journal.entries import BatchOutcome, Entry
from ai3ray.journal.rows import batch_of
from ai3ray.journal.sequencer import Sequencer
from ai3ray.journal.writer import PauseQueries, Writer
from ai3ray.sql.values import one_line

log = logging.getLogger(__name__)

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 5.0
"""Between two attempts at a commit while the disk refuses writes."""
_IDLE_S = 1.0
"""Time without a commit before a checkpoint."""
_LOG_BYTES, _LOG_BYTES_BUSY = 16 << 20, 64 << 20
"""Size of the write-ahead log that causes a checkpoint when idle, and at any time."""
_SPARE_BYTES = 16 << 20
"""Disk space that a checkpoint leaves free; it may need twice the log's size."""


class CommitQueue:
    """Entries that wait for their commit, in order.

    Entries that arrive during a commit form the next one: an idle journal commits at once, a busy one in large
    batches. A batch that the disk refuses is tried again until it succeeds.

    Args:
        database: receives the entries.
        sequencer: learns what is on disk.
        on_commit: called with the changed runs before the commit is announced.
        pause_queries: a context without queries.
    """

    def __init__(
        self,
        database: JournalDatabase,
        sequencer: Sequencer,
        *,
        on_commit: Callable[[set[str]], None],
        pause_queries: PauseQueries,
    ) -> None:
        self._database = database
        self._sequencer = sequencer
        self._on_commit = on_commit
        self._writer = Writer(database, pause_queries)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal-writer")
        self._queue: list[Entry] = []
        self._outcome = BatchOutcome()
        self._outcome.finish()
        self._drainer: asyncio.Task[None] | None = None
        self._checkpoint_timer: asyncio.TimerHandle | None = None
        self._checkpointing: asyncio.Task[None] | None = None
        self._busy_limit = _LOG_BYTES_BUSY
        self._closing = asyncio.Event()

    @property
    def outcome(self) -> BatchOutcome:
        """The outcome of the batch that holds the latest entry."""
        return self._outcome

    def put(self, entry: Entry) -> None:
        """Queue an entry. Needs a running event loop."""
        if not self._queue:
            self._outcome = BatchOutcome()
        self._queue.append(entry)
        if self._drainer is None or self._drainer.done():
            self._drainer = asyncio.get_running_loop().create_task(self._drain(), name="journal-drain")

    async def delete(self, run_ids: Sequence[str]) -> None:
        """Delete these runs between two commits. Raises JournalError."""
        if self._closing.is_set():
            raise JournalError("the journal is closed")
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._writer.delete, run_ids)
        except (DiskWriteError, duckdb.Error) as error:
            raise JournalError(f"the journal cannot delete runs: {one_line(error)}") from error

    async def checkpoint(self) -> None:
        """Write a checkpoint between two commits, if the disk has room for it."""
        size = self._database.wal_bytes()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._checkpoint)
        self._busy_limit = _LOG_BYTES_BUSY + (size if self._database.wal_bytes() >= size else 0)

    async def drain(self) -> None:
        """Commit what is queued, with one attempt; nothing may be put any more."""
        self._closing.set()
        if self._checkpoint_timer is not None:
            self._checkpoint_timer.cancel()
        if ending := [task for task in (self._drainer, self._checkpointing) if task is not None]:
            await asyncio.wait(ending)

    async def aclose(self) -> None:
        """Release the file. Call `drain` first."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._release)
        self._thread.shutdown(wait=False)

    async def _drain(self) -> None:
        while self._queue:
            entries, self._queue = self._queue, []
            outcome = self._outcome
            try:
                entries = await self._commit(entries, outcome)
            except BaseException as error:  # the writer's edge: every failure must reach those who wait
                reason = failure_message(error)
                self._sequencer.stop(reason)
                self._queue.clear()
                outcome.finish(reason)
                self._outcome.finish(reason)
                if not isinstance(error, Exception):
                    raise
                return
            self._on_commit({entry.after.state.run_id for entry in entries})
            self._sequencer.commit(entries)
            outcome.finish()
            if not self._queue:
                self._outcome.finish()  # another batch, if all of it was refused meanwhile
            if self._database.wal_bytes() > self._busy_limit:
                await self.checkpoint()
        self._schedule_checkpoint()

    async def _commit(self, entries: list[Entry], outcome: BatchOutcome) -> list[Entry]:
        """Write the entries, repeatedly while the disk refuses them; return those that were written."""
        loop, pause = asyncio.get_running_loop(), _FIRST_PAUSE_S
        while entries:
            try:
                await loop.run_in_executor(self._thread, self._write, entries)
                break
            except DiskWriteError as error:
                if self._closing.is_set():
                    raise
                entries = self._hold_back(retry_message(error, self._database.path), entries, outcome)
            if entries:  # no system announces free disk space
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._closing.wait()
                pause = min(pause * 2, _LONGEST_PAUSE_S)
        self._sequencer.accept_new_runs()
        return entries

    def _hold_back(self, reason: str, entries: list[Entry], outcome: BatchOutcome) -> list[Entry]:
        """Refuse new runs, those in the queue too; return the entries that wait for the disk."""
        if self._sequencer.refuse_new_runs(reason):
            log.warning("%s", reason)
        if self._writer.in_doubt:  # they may be on disk, which is known once the database is open again
            return entries
        entries = self._sequencer.refuse_unsaved(entries, reason)
        self._queue = self._sequencer.refuse_unsaved(self._queue, reason)
        outcome.notify()
        self._outcome.notify()
        return entries

    def _write(self, entries: Sequence[Entry]) -> None:
        self._writer.write(batch_of(entries))

    def _schedule_checkpoint(self) -> None:
        """Start a checkpoint when nothing arrives for a while."""
        if self._checkpoint_timer is not None:
            self._checkpoint_timer.cancel()
        if self._database.wal_bytes() > _LOG_BYTES and not self._closing.is_set():
            self._checkpoint_timer = asyncio.get_running_loop().call_later(_IDLE_S, self._start_checkpoint)

    def _start_checkpoint(self) -> None:
        if (self._drainer is None or self._drainer.done()) and not self._closing.is_set():
            self._checkpointing = asyncio.get_running_loop().create_task(self.checkpoint(), name="journal-checkpoint")

    def _checkpoint(self) -> None:
        """Write a checkpoint if the disk has room for it; the log holds everything until then."""
        try:
            if self._database.free_bytes() > 2 * self._database.wal_bytes() + _SPARE_BYTES:
                self._writer.checkpoint()
        except (DiskWriteError, JournalError, duckdb.Error) as error:
            log.warning("no checkpoint was written for the journal %s: %s", self._database.path, error)

    def _release(self) -> None:
        # After a failed commit the log holds all that was acknowledged, and the next opening replays it.
        self._checkpoint()
        is_fragmented = False
        with contextlib.suppress(duckdb.Error):  # already reported when it failed
            is_fragmented = self._writer.is_fragmented()
        self._writer.close()
        self._database.close()
        try:
            if is_fragmented and self._database.free_bytes() > 2 * self._database.path.stat().st_size + _SPARE_BYTES:
                compact(self._database.path)
        except JournalError as error:  # another process may have opened it; the next to close it will compact it
            log.warning("the journal %s was not compacted: %s", self._database.path, error)
