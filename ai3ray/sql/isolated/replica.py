"""Keep one owner's copy of the journal up to date on demand, without disturbing its readers."""

from __future__ import annotations

import asyncio
import logging
import secrets
import shutil
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from ai3ray.errors import EngineError
from ai3ray.sql.isolated.changes import ChangedRuns
from ai3ray.sql.isolated.copy import CopyStopped, CopyWriter
from ai3ray.sql.values import one_line

log = logging.getLogger(__name__)

_FILE = "journal.duckdb"
_SPARE_BYTES = 64 << 20


@dataclass(eq=False, slots=True)
class Generation:
    """One file of a copy, with its state."""

    path: Path
    mark: int = -1
    """The mark of the changes it contains; -1 for a file that must not be used."""
    as_of: str = ""
    made_at: float = float("-inf")
    """In seconds of the loop's clock."""
    readers: int = 0


@dataclass(frozen=True, slots=True)
class CopyContext:
    """State that all replicas of a journal share."""

    journal: Path
    """Its file."""
    folder: Path
    writer: CopyWriter
    changes: ChangedRuns
    clock: Callable[[], str]
    thread: ThreadPoolExecutor


class Replica:
    """The files of one owner's copy: the newest, those still read, and a spare to update next.

    An `owner` of None stands for all runs.
    """

    def __init__(self, context: CopyContext, owner: str | None) -> None:
        self._context = context
        self._owner = owner
        self._newest: Generation | None = None
        self._older: list[Generation] = []
        self._refreshing: asyncio.Task[None] | None = None

    @property
    def busy(self) -> bool:
        """True while it is read or written."""
        return self._writing or any(generation.readers for generation in self._all())

    @property
    def oldest_mark(self) -> int | None:
        """The earliest mark from which it needs changes; None when it has no file to update."""
        return min((generation.mark for generation in self._all() if generation.mark >= 0), default=None)

    @asynccontextmanager
    async def fresh(self, max_age_s: float) -> AsyncIterator[Generation]:
        """Yield a file that is at most `max_age_s` seconds old and does not change inside the block.

        Raises:
            EngineError: the copy cannot be written.
        """
        generation = await self._recent(max_age_s)
        generation.readers += 1
        try:
            yield generation
        finally:
            generation.readers -= 1
            if not self._writing:
                await self._delete_unused()

    def discard(self, generation: Generation) -> None:
        """Never use this file again: it is unreadable or half written."""
        generation.mark = -1
        if generation is self._newest:
            self._newest = None
            self._older.append(generation)

    async def remove(self) -> None:
        """Delete all files."""
        if self._refreshing is not None:
            await asyncio.wait({self._refreshing})
        gone, self._newest, self._older = self._all(), None, []
        await self._delete(gone)

    @property
    def _writing(self) -> bool:
        return self._refreshing is not None and not self._refreshing.done()

    async def _recent(self, max_age_s: float) -> Generation:
        wanted_from = asyncio.get_running_loop().time() - max_age_s
        while True:
            if self._refreshing is not None and not self._refreshing.done():
                await asyncio.shield(self._refreshing)  # a caller may leave; others still wait for it
            newest = self._newest
            if newest is not None and newest.made_at >= wanted_from and newest.path.exists():
                return newest
            self._refreshing = asyncio.create_task(self._refresh(), name="journal-sql-copy")
            self._refreshing.add_done_callback(_retrieve_exception)

    async def _refresh(self) -> None:
        """Bring `_newest` up to what is committed now."""
        changes = self._context.changes
        mark, as_of, made_at = changes.mark(), self._context.clock(), asyncio.get_running_loop().time()
        newest = self._newest
        if newest is not None and not newest.path.exists():
            self.discard(newest)
            newest = None
        if newest is None or changes.since(newest.mark) != ():
            try:
                newest = await self._updated(newest) or await self._created()
            except CopyStopped as error:
                raise EngineError("writing the copy of the journal that SQL reads was stopped; try again") from error
            except (duckdb.Error, OSError) as error:
                log.warning("the copy of the journal for SQL cannot be written: %s", one_line(error))
                raise EngineError(
                    "the copy of the journal that SQL reads cannot be written at the moment; try again later"
                ) from error
        newest.mark, newest.as_of, newest.made_at = mark, as_of, made_at
        self._older = [older for older in self._all() if older is not newest]
        self._newest = newest
        await self._delete_unused()

    async def _created(self) -> Generation:
        made = Generation(self._new_path())
        try:
            await self._in_thread(self._create, made.path)
        except BaseException:
            await self._delete([made])
            raise
        return made

    async def _updated(self, newest: Generation | None) -> Generation | None:
        """Add what is missing to an unread file that has most rows; return None when there is none."""
        if newest is None or self._context.changes.since(newest.mark) is None:
            return None
        basis = newest if not newest.readers else next(filter(self._reusable, self._older), None)
        basis = basis or await self._cloned(newest)
        run_ids = self._context.changes.since(basis.mark)
        if run_ids is None:  # runs were deleted in the meantime
            return None
        try:
            await self._in_thread(self._context.writer.update, basis.path, self._owner, run_ids)
        except CopyStopped:
            self.discard(basis)
            raise
        except (duckdb.Error, OSError) as error:
            log.warning("a copy of the journal for SQL is written anew: %s", one_line(error))
            self.discard(basis)
            return None
        return basis

    async def _cloned(self, newest: Generation) -> Generation:
        clone = Generation(self._new_path(), newest.mark)
        self._older.append(clone)
        await self._in_thread(self._clone, newest.path, clone.path)
        return clone

    def _reusable(self, generation: Generation) -> bool:
        known = self._context.changes.since(generation.mark) is not None
        return known and not generation.readers and generation.path.exists()

    def _create(self, path: Path) -> None:
        self._check_disk_space()
        self._context.writer.create(path, self._owner)

    def _clone(self, path: Path, to: Path) -> None:
        self._check_disk_space()
        to.parent.mkdir(mode=0o700, parents=True)
        shutil.copyfile(path, to)
        to.chmod(0o600)

    def _check_disk_space(self) -> None:
        """Keep enough disk space for the journal: a copy takes up to four times its size."""
        size = self._context.journal.stat().st_size if self._context.journal.exists() else 0
        if shutil.disk_usage(self._context.journal.parent).free < 5 * size + _SPARE_BYTES:
            raise EngineError("the disk has too little free space for the copy of the journal that SQL reads")

    async def _delete_unused(self) -> None:
        """Delete unread files, except the newest and one spare."""
        idle = [older for older in self._older if not older.readers]
        spares = [older for older in idle if self._reusable(older)]
        gone = [older for older in idle if older not in spares[-1:]]
        self._older = [older for older in self._older if older not in gone]
        await self._delete(gone)

    async def _delete(self, generations: list[Generation]) -> None:
        for generation in generations:
            await self._in_thread(shutil.rmtree, generation.path.parent, True)

    async def _in_thread(self, work: Callable[..., None], *args: object) -> None:
        await asyncio.get_running_loop().run_in_executor(self._context.thread, work, *args)

    def _all(self) -> list[Generation]:
        return [*self._older, *([self._newest] if self._newest else [])]

    def _new_path(self) -> Path:
        """Return a path with the journal's file name, which is its name in SQL too."""
        return self._context.folder / secrets.token_hex(8) / _FILE


def _retrieve_exception(refresh: asyncio.Task[None]) -> None:
    """Retrieve the exception, which is not logged when nobody waits for it any more."""
    if not refresh.cancelled():
        refresh.exception()
