"""The port through which runs are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ai3ray.domain.events import Stats
from ai3ray.domain.listings import ModelView, RunRow, Table
from ai3ray.domain.result import RunResult


class RunReader(Protocol):
    """What can be read of a home or a server, whether or not a head is up."""

    async def runs(self, limit: int = 50, before: str | None = None) -> Sequence[RunRow]:
        """Runs, newest first."""
        ...

    async def result(self, run_id: str) -> RunResult:
        """The run as it stands. Raises UnknownRun."""
        ...

    async def sql(self, query: str, max_rows: int = 10_000) -> Table:
        """One read-only SELECT. Raises RequestError for anything else."""
        ...

    async def models(self) -> Sequence[ModelView]:
        """The registry with what is known of each model."""
        ...

    async def stats(self) -> Stats:
        """All runs in figures."""
        ...
