"""The port for reading runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ai3ray.domain.events import Stats
from ai3ray.domain.listings import ModelView, RunRow, Table
from ai3ray.domain.result import RunResult


class RunReader(Protocol):
    """Reads the runs of a home or a server; a home needs no running head."""

    async def runs(self, limit: int = 50, before: str | None = None) -> Sequence[RunRow]:
        """List runs, newest first."""
        ...

    async def result(self, run_id: str) -> RunResult:
        """Return the run's current state. Raises UnknownRun."""
        ...

    async def sql(self, query: str, max_rows: int = 10_000) -> Table:
        """Run one read-only SELECT. Raises RequestError for anything else."""
        ...

    async def models(self) -> Sequence[ModelView]:
        """Return all models with their telemetry."""
        ...

    async def stats(self) -> Stats:
        """Return statistics over all runs."""
        ...
