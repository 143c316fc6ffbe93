"""Limit the memory of queries that run in the journal's process.

DuckDB's limit covers all its connections, so the writer could hit it: queries are stopped well below. That limit does
not count what functions like `repeat` allocate, so the process itself is limited while queries run.
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
"""DuckDB memory for all queries together; its whole limit is nearly twice as much."""
HEADROOM_BYTES = 1 << 30
"""Growth of the process's private memory while queries run."""

_CHECK_INTERVAL_S = 0.05  # measured on two cores: two queries allocate 20 MB in that time, and one check takes 1.3 ms
_SQL = Path(__file__).with_suffix(".sql")


class MemoryWatch:
    """A thread that checks the memory of running queries and calls `on_excess` when it is too much."""

    def __init__(self, connection: CursorSource, on_excess: Callable[[], None]) -> None:
        self._connection = connection
        self._on_excess = on_excess
        self._lock = threading.Lock()
        self._inside = 0
        self._stopped = threading.Event()
        self._watcher = threading.Thread()

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Watch inside the block; blocks may overlap."""
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
                    self._watcher.join()  # its connection is closed before the last query ends

    def _watch(self, stopped: threading.Event) -> None:
        with (
            contextlib.suppress(duckdb.Error, JournalError),  # the journal may close meanwhile
            self._connection.cursor() as cursor,
        ):
            query = named_statements(_SQL)["used_bytes"]
            while not stopped.wait(_CHECK_INTERVAL_S):
                [(used_bytes,)] = cursor.execute(query).fetchall()
                if used_bytes > QUERY_BYTES:
                    self._on_excess()


class MemoryHeadroom:
    """A limit of this process's private memory while queries run; shared memory (Ray's object store) is not counted.

    Beyond the limit an allocation fails, and its query with it.
    """

    def __init__(self, growth_bytes: int = HEADROOM_BYTES) -> None:
        self._growth_bytes = growth_bytes
        self._lock = threading.Lock()
        self._inside = 0
        self._before: tuple[int, int] | None = None

    @contextlib.contextmanager
    def bounded(self) -> Iterator[None]:
        """Apply the limit inside the block; blocks may overlap."""
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._lower()
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if self._inside == 0 and self._before is not None:
                    resource.setrlimit(resource.RLIMIT_DATA, self._before)
                    self._before = None

    def _lower(self) -> None:
        private = _private_bytes()
        if resource is None or private is None:
            return
        soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
        if soft == resource.RLIM_INFINITY or private + self._growth_bytes < soft:
            self._before = soft, hard
            resource.setrlimit(resource.RLIMIT_DATA, (private + self._growth_bytes, hard))


HEADROOM = MemoryHeadroom()
"""The only one: the limit belongs to the process."""


def _private_bytes() -> int | None:
    """Return the bytes of private writable memory of this process; None where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[5])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGESIZE")
