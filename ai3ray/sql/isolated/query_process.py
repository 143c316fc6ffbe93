"""The parent's side of a process that runs one isolated query."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb

from ai3ray.child.launcher import ChildProcess, child_process
from ai3ray.child.resource_limits import ResourceLimits
from ai3ray.domain.frozen import Frozen
from ai3ray.domain.listings import Table
from ai3ray.errors import EngineError, RequestError

_WORKER = "ai3ray.sql.isolated.query_worker"
_DUCKDB_FOLDER = Path(duckdb.__file__).parents[1]
_MALLOC = {"MALLOC_ARENA_MAX": "1"}
"""Each further arena of malloc would take 64 MB of the limit of address space."""
_GRACE_S = 1.0
_SLACK_BYTES = 1_000_000
_OUT_OF_MEMORY_STATUS = 127
"""Exit status with which glibc ends a process that has no memory left for the data of a thread."""


class SqlLimits(Frozen):
    """The limits of isolated queries and their copies."""

    memory_bytes: int = 1 << 30
    cpu_s: int = 10
    wall_s: float = 10.0
    """Counted once the query has its copy."""
    query_chars: int = 100_000
    answer_bytes: int = 8_000_000
    """As JSON; further rows are left out."""
    max_running: int = 2
    max_wait_s: float = 5.0
    """The longest wait for other queries."""
    copy_wait_s: float = 30.0
    copy_age_s: float = 5.0
    """The oldest copy that is still used."""
    copy_idle_s: float = 600.0
    """Time without a query after which an owner's copy is deleted."""
    copies: int = 8
    """Owners with a copy at a time."""


class CopyUnreadable(Exception):
    """The copy of the journal cannot be read; a new copy may be readable."""


class QueryProcess:
    """A process for one query; make it with `start_query_process`."""

    def __init__(self, child: ChildProcess) -> None:
        self._child = child

    async def answer(self, file: Path, query: str, max_rows: int, limits: SqlLimits) -> Table:
        """Run one SELECT on a copy of the journal.

        Raises:
            RequestError: the query is not one SELECT, is wrong, or exceeded a limit and was stopped.
            CopyUnreadable: the copy is at fault.
            EngineError: the process did not work.
        """
        job = {
            "file": str(file),
            "query": query,
            "limits": ResourceLimits(limits.memory_bytes, limits.cpu_s, limits.wall_s + _GRACE_S),
            "max_rows": max_rows,
            "max_bytes": limits.answer_bytes,
        }
        try:
            async with asyncio.timeout(limits.wall_s):
                self._child.stdin.write(json.dumps(job).encode() + b"\n")
                with suppress(ConnectionError):  # it has died: its output or its exit status says why
                    await self._child.stdin.drain()
                return await self._read(limits)
        except TimeoutError:
            raise RequestError(f"the query took longer than {limits.wall_s:g} s and was stopped", "sql") from None

    async def _read(self, limits: SqlLimits) -> Table:
        """Read the answer line by line: the event loop runs between two pieces of a large one."""
        columns: tuple[str, ...] = ()
        rows: list[tuple[Any, ...]] = []
        async for line in self._lines(limits.answer_bytes + _SLACK_BYTES):
            message = json.loads(line)
            if isinstance(message, list):
                rows.extend(map(tuple, message))
            elif "columns" in message:
                columns = tuple(message["columns"])
            elif "truncated" in message:
                return Table.model_construct(columns=columns, rows=tuple(rows), truncated=message["truncated"])
            elif "copy_error" in message:
                raise CopyUnreadable(message["copy_error"])
            else:
                raise RequestError(message["error"], "sql")
        raise await self._exit_error(limits)

    async def _lines(self, max_bytes: int) -> AsyncIterator[bytes]:
        while line := await self._child.stdout.readline():
            max_bytes -= len(line)
            if max_bytes < 0:
                raise RequestError("the answer is too large", "sql")
            yield line

    async def _exit_error(self, limits: SqlLimits) -> Exception:
        """Return the error for a process that ended before its answer did."""
        code = await self._child.wait()
        if code in (-signal.SIGXCPU, -signal.SIGALRM):
            return RequestError(f"the query took longer than {limits.cpu_s} s and was stopped", "sql")
        if code < 0 or code == _OUT_OF_MEMORY_STATUS:
            return RequestError("the query exceeded the limits of its process and was stopped", "sql")
        return EngineError(f"the process for the query ended with exit status {code}")


@asynccontextmanager
async def start_query_process(answer_bytes: int) -> AsyncIterator[QueryProcess]:
    """Start a process that waits for its query, and kill it at the end of the block."""
    async with child_process(
        _WORKER, variables=_MALLOC, python_path=[_DUCKDB_FOLDER], line_bytes=answer_bytes + _SLACK_BYTES
    ) as child:
        yield QueryProcess(child)
