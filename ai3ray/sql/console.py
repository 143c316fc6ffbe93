"""SQL of the home's own user: beside the writer, on the journal itself."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

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
"""The most that one answer holds."""

_MAX_RUNNING = 2
_OUT_OF_MEMORY = "the query needs more memory than it may have"
_PAUSE_TIMEOUT_S = 30.0
_INTERRUPT_INTERVAL_S = 0.05


class SqlConsole:
    """Runs users' queries beside the writer, each on a connection of its own.

    Its threads stand back behind the writer's, and what the queries take of memory is bounded.
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
            RequestError: it is not a SELECT, it is wrong, too large, or it took longer than `timeout_s` seconds.
        """
        query = single_select(sql)
        cursor = self._connection.cursor()
        work = asyncio.get_running_loop().run_in_executor(self._threads, self._run, cursor, query, max_rows)
        self._running.add(cursor)
        try:
            async with asyncio.timeout(timeout_s):
                return await work
        except asyncio.CancelledError:
            _interrupt(cursor)  # who asked has left
            raise
        except TimeoutError:
            _interrupt(cursor)
            raise RequestError(f"the query took longer than {timeout_s:g} s and was stopped", "sql") from None
        except (MemoryError, duckdb.OutOfMemoryException) as error:
            raise RequestError(_OUT_OF_MEMORY, "sql") from error
        except duckdb.InterruptException as error:
            stopped = "the query was stopped: the journal needs its memory, or is closing"
            raise RequestError(_OUT_OF_MEMORY if cursor in self._over_memory else stopped, "sql") from error
        except duckdb.Error as error:
            raise RequestError(one_line(error), "sql") from error
        except RecursionError as error:
            raise RequestError("the answer is nested too deeply", "sql") from error
        finally:
            self._running.discard(cursor)
            self._over_memory.discard(cursor)

    def interrupt(self) -> None:
        """Stop the queries that run now; may be called from any thread."""
        for cursor in tuple(self._running):
            _interrupt(cursor)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """No query runs, and none begins, inside the block: they share their memory with the writer, which goes first.

        For the writer's thread: it blocks until the running queries have ended.
        """
        with self._changed:
            self._paused = True
            give_up = time.monotonic() + _PAUSE_TIMEOUT_S
            while self._active and time.monotonic() < give_up:
                self.interrupt()  # again and again: a query that has just begun does not hear it
                self._changed.wait(_INTERRUPT_INTERVAL_S)
        try:
            yield
        finally:
            self._paused = False

    async def aclose(self) -> None:
        """Stop what still runs and wait for its threads."""
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
                return _table(cursor, query, max_rows)
        finally:
            cursor.close()
            with self._changed:
                self._active -= 1
                self._changed.notify_all()


def _interrupt(cursor: DuckDBPyConnection) -> None:
    with contextlib.suppress(duckdb.ConnectionException):  # it ended, and its thread has closed it
        cursor.interrupt()


def _table(cursor: DuckDBPyConnection, query: str, max_rows: int) -> Table:
    cursor.execute("BEGIN TRANSACTION READ ONLY")
    answer = QueryAnswer(cursor, query)
    rows = CappedItems(answer, json_size, max_rows, MAX_ANSWER_BYTES)
    return Table(columns=answer.columns, rows=tuple(rows), truncated=rows.truncated)
