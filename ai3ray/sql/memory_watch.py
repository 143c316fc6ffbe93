"""Queries of the home's own user share the journal's process; this keeps them from taking its memory.

DuckDB has one limit for all of its connections, and the writer would be the one to meet it: so queries
are stopped well below. And that limit does not count what functions such as `repeat` make: so the
process itself is bounded while queries run.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb

from ai3ray.errors import JournalError
from ai3ray.sql.port import CursorSource
from ai3ray.sql.statements import named_statements

try:
    import resource
except ImportError:  # no POSIX system
    resource = None  # type: ignore[assignment]

QUERY_BYTES = 512 << 20
"""What all queries together may take of DuckDB's memory; the journal's limit is nearly twice as much."""
HEADROOM_BYTES = 1 << 30
"""Private memory by which the process may grow while queries run."""

_CHECK_INTERVAL_S = 0.05  # measured: on two cores two queries take 20 MB in that time, and looking takes 1.3 ms
_SQL = Path(__file__).with_suffix(".sql")


class MemoryWatch:
    """Looks after the memory that queries take, for as long as some run.

    Args:
        connection: a connection to the journal.
        too_much: stops the queries; called from a thread of the watch.
    """

    def __init__(self, connection: CursorSource, on_excess: Callable[[], None]) -> None:
        self._connection = connection
        self._on_excess = on_excess
        self._lock = threading.Lock()
        self._inside = 0
        self._stopped = threading.Event()
        self._watcher = threading.Thread()

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """For as long as a query runs; several may at once."""
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._stopped = threading.Event()
                self._watcher = threading.Thread(target=self._watch, args=(self._stopped,), name="journal-memory")
                self._watcher.start()
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if self._inside == 0:
                    self._stopped.set()
                    self._watcher.join()  # whoever waits for the last query wants its connection closed too

    def _watch(self, stopped: threading.Event) -> None:
        # It may be closed meanwhile.
        with contextlib.suppress(duckdb.Error, JournalError), self._connection.cursor() as cursor:
            query = named_statements(_SQL)["used_bytes"]
            while not stopped.wait(_CHECK_INTERVAL_S):
                [(used_bytes,)] = cursor.execute(query).fetchall()
                if used_bytes > QUERY_BYTES:
                    self._on_excess()


class MemoryHeadroom:
    """Bounds the private memory of this process. Shared memory, such as Ray's object store, is not counted.

    Beyond it the huge allocation fails, and with it the query; without it the machine's memory would go.

    Args:
        grows_by: bytes that all running queries together may add.
    """

    def __init__(self, growth_bytes: int = HEADROOM_BYTES) -> None:
        self._growth_bytes = growth_bytes
        self._lock = threading.Lock()
        self._inside = 0
        self._before: tuple[int, int] | None = None

    @contextlib.contextmanager
    def bounded(self) -> Iterator[None]:
        """For as long as a query runs; several may at once."""
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._lower()
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if self._inside == 0:
                    self._restore()

    def _lower(self) -> None:
        private = _private_bytes()
        if resource is None or private is None:
            return
        soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
        if soft == resource.RLIM_INFINITY or private + self._growth_bytes < soft:
            self._before = soft, hard
            resource.setrlimit(resource.RLIMIT_DATA, (private + self._growth_bytes, hard))

    def _restore(self) -> None:
        if self._before is not None:
            resource.setrlimit(resource.RLIMIT_DATA, self._before)
            self._before = None


HEADROOM = MemoryHeadroom()
"""The one of this process, because the limit is one of the process."""


def _private_bytes() -> int | None:
    """Bytes of private writable memory of this process, where the system tells."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[5])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGESIZE")
