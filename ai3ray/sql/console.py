"""SQL for the home's own user, run in the journal's process."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import duckdb
from duckdb import DuckDBPyConnection

from ai3ray.child.resource_limits import lower_thread_priority
from ai3ray.domain.listings import Table
from ai3ray.errors import RequestError
from ai3ray.sql.guard import single_select
from ai3ray.sql.memory_watch import HEADROOM, MemoryWatch
from ai3ray.sql.port import CursorSource
from ai3ray.sql.values import CappedItems, QueryAnswer, json_size, one_line

MAX_ANSWER_BYTES = 64_000_000
"""Size of the largest answer, as JSON."""

_MAX_RUNNING = 2
_OUT_OF_MEMORY = "the query needs more memory than it is allowed"
_PAUSE_TIMEOUT_S = 30.0
_INTERRUPT_INTERVAL_S = 0.05


class SqlConsole:
    """Queries in threads beside the writer, each on its own connection.

    The threads have a lower priority than the writer's, and the memory of all queries is limited.
    """

    def __init__(self, connection: CursorSource) -> None:
        self._connection = connection
        self._threads = ThreadPoolExecutor(
            _MAX_RUNNING, thread_name_prefix="journal-sql", initializer=lower_thread_priority
        )
        self._running: set[DuckDBPyConnection] = set()
        self._over_memory: set[DuckDBPyConnection] = set()
        self._watch = MemoryWatch(connection, self._stop_over_memory)
        self._changed = threading.Condition()
        self._active = 0
        self._paused = False

    async def query(self, sql: str, *, max_rows: int = 10_000, timeout_s: float = 10.0) -> Table:
        """Run one SELECT and return at most `max_rows` rows.

        Raises:
            RequestError: the query is not a SELECT, is wrong or too large, or ran for more than `timeout_s` seconds.
        """
        query = single_select(sql)
        cursor = self._connection.cursor()
        work = self._threads.submit(self._run, cursor, query, max_rows)
        self._running.add(cursor)
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.wrap_future(work)
        except asyncio.CancelledError:
            _interrupt_until_done(cursor, work)
            raise
        except TimeoutError:
            _interrupt_until_done(cursor, work)
            raise RequestError(f"the query took longer than {timeout_s:g} s and was stopped", "sql") from None
        except (MemoryError, duckdb.OutOfMemoryException) as error:
            raise RequestError(_OUT_OF_MEMORY, "sql") from error
        except duckdb.InterruptException as error:
            stopped = "the query was stopped because the journal needs its memory or is closing"
            raise RequestError(_OUT_OF_MEMORY if cursor in self._over_memory else stopped, "sql") from error
        except duckdb.Error as error:
            raise RequestError(one_line(error), "sql") from error
        except RecursionError as error:
            raise RequestError("the answer is nested too deeply", "sql") from error
        finally:
            self._running.discard(cursor)
            self._over_memory.discard(cursor)

    def interrupt(self) -> None:
        """Stop the running queries, from any thread."""
        for cursor in tuple(self._running):
            _interrupt(cursor)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Stop queries and start none inside the block, so that the writer has all of the memory.

        Blocks the calling thread until the running queries have ended.
        """
        with self._changed:
            self._paused = True
            give_up = time.monotonic() + _PAUSE_TIMEOUT_S
            while self._active and time.monotonic() < give_up:
                self.interrupt()  # repeatedly: an interrupt just before a query begins has no effect
                self._changed.wait(_INTERRUPT_INTERVAL_S)
        try:
            yield
        finally:
            self._paused = False

    async def aclose(self) -> None:
        """Stop the running queries and wait for their threads."""
        self.interrupt()
        await asyncio.to_thread(self._threads.shutdown, wait=True, cancel_futures=True)

    def _stop_over_memory(self) -> None:
        self._over_memory.update(tuple(self._running))
        self.interrupt()

    def _run(self, cursor: DuckDBPyConnection, query: str, max_rows: int) -> Table:
        with self._changed:
            self._active += 1
        try:
            if self._paused:
                raise duckdb.InterruptException
            with HEADROOM.bounded(), self._watch.watching():
                cursor.execute("BEGIN TRANSACTION READ ONLY")
                answer = QueryAnswer(cursor, query)
                rows = CappedItems(answer, json_size, max_rows, MAX_ANSWER_BYTES)
                return Table(columns=answer.columns, rows=tuple(rows), truncated=rows.truncated)
        finally:
            cursor.close()
            with self._changed:
                self._active -= 1
                self._changed.notify_all()


def _interrupt(cursor: DuckDBPyConnection) -> None:
    with contextlib.suppress(duckdb.ConnectionException):  # the query has ended and its thread has closed it
        cursor.interrupt()


def _interrupt_until_done(cursor: DuckDBPyConnection, work: Future[Table]) -> None:
    """Interrupt a query repeatedly: an interrupt just before it begins has no effect."""
    if not work.done():
        _interrupt(cursor)
        asyncio.get_running_loop().call_later(_INTERRUPT_INTERVAL_S, _interrupt_until_done, cursor, work)
