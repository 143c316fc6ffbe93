"""A process for one query of a stranger, as its parent sees it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb

from ai3ray.domain.frozen import Frozen
from ai3ray.domain.listings import Table
from ai3ray.errors import EngineError, RequestError
from ai3ray.sql.isolated.limits import ResourceLimits

_ROOTS = (Path(__file__).parents[3], Path(duckdb.__file__).parents[1])
_KEPT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPYCACHEPREFIX", "SYSTEMROOT")
_GRACE_S = 1.0
_SLACK_BYTES = 1_000_000
_OUT_OF_MEMORY_STATUS = 127
"""Exit status with which glibc ends a process that has no memory left for the data of a thread."""


class SqlLimits(Frozen):
    """What strangers' queries may take."""

    memory_bytes: int = 1 << 30
    """Address space of a query's process."""
    cpu_s: int = 10
    """Processor time of a query, in seconds."""
    wall_s: float = 10.0
    """Seconds on the clock that a query gets, from the moment it has its copy."""
    query_chars: int = 100_000
    """The longest SQL text."""
    answer_bytes: int = 8_000_000
    """The largest answer, as JSON; further rows are left out."""
    max_running: int = 2
    """Queries that run at a time."""
    max_wait_s: float = 5.0
    """Seconds that a query waits for its turn."""
    copy_wait_s: float = 30.0
    """Seconds that a query waits for its copy of the journal."""
    copy_age_s: float = 5.0
    """How old a copy may be."""
    copy_idle_s: float = 600.0
    """Seconds without a query after which an owner's copy is deleted."""
    copies: int = 8
    """Owners whose copies are kept at a time."""


class CopyUnreadable(Exception):
    """The copy of the journal cannot be read; a new one may."""


class QueryProcess:
    """One child; made by `started`, good for one query."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def answer(self, file: Path, query: str, max_rows: int, limits: SqlLimits) -> Table:
        """Run one SELECT on a copy of the journal.

        Raises:
            RequestError: it is not one SELECT, it is wrong, or it broke a limit and was stopped.
            CopyBroken: it is the copy's fault.
            EngineError: the process did not work.
        """
        resource_limits = ResourceLimits(limits.memory_bytes, limits.cpu_s, limits.wall_s + _GRACE_S)
        job = {
            "file": str(file),
            "query": query,
            "walls": resource_limits,
            "max_rows": max_rows,
            "max_bytes": limits.answer_bytes,
        }
        assert self._process.stdin is not None
        try:
            async with asyncio.timeout(limits.wall_s):
                self._process.stdin.write(json.dumps(job).encode() + b"\n")
                with suppress(ConnectionError):  # it died: what it said, or its exit status, tells why
                    await self._process.stdin.drain()
                return await self._read(limits)
        except TimeoutError:
            raise RequestError(f"the query took longer than {limits.wall_s:g} s and was stopped", "sql") from None

    async def _read(self, limits: SqlLimits) -> Table:
        """The answer. It is read line by line, so that the loop turns between two pieces of a large one."""
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
            elif "broken" in message:
                raise CopyUnreadable(message["broken"])
            else:
                raise RequestError(message["error"], "sql")
        raise await self._exit_error(limits)

    async def _lines(self, max_bytes: int) -> AsyncIterator[bytes]:
        stdout = self._process.stdout
        assert stdout is not None
        while line := await stdout.readline():
            max_bytes -= len(line)
            if max_bytes < 0:
                raise RequestError("the answer is too large", "sql")
            yield line

    async def _exit_error(self, limits: SqlLimits) -> Exception:
        """What it means that the process ended before its answer did."""
        code = await self._process.wait()
        if code in (-signal.SIGXCPU, -signal.SIGALRM):
            return RequestError(f"the query took longer than {limits.cpu_s} s and was stopped", "sql")
        if code < 0 or code == _OUT_OF_MEMORY_STATUS:
            return RequestError("the query broke the limits of its process and was stopped", "sql")
        return EngineError(f"the process for the query ended with exit status {code}")


@asynccontextmanager
async def start_query_process(answer_bytes: int) -> AsyncIterator[QueryProcess]:
    """A process that waits for its query, without a key in its environment; dead at the end, whatever happens.

    Args:
        answer_bytes: of the largest answer that it may give.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "ai3ray.sql.isolated.child", str(os.getpid())),
        env=_environment(),
        cwd="/",
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        limit=answer_bytes + _SLACK_BYTES,
    )
    try:
        yield QueryProcess(process)
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
        await process.wait()


def _environment() -> dict[str, str]:
    """What Python needs to start, and to find this package. Each arena of malloc would take 64 MB of the limit."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**kept, "PYTHONPATH": os.pathsep.join(map(str, _ROOTS)), "MALLOC_ARENA_MAX": "1"}
