"""The engine, called through Ray."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from ray.actor import ActorHandle

from ai3ray.domain.access import CallerLimits
from ai3ray.domain.events import Stats
from ai3ray.domain.listings import Accepted, ModelView, PlanPreview, PruneReport, RunRow, Table
from ai3ray.domain.request import RunRequest
from ai3ray.domain.result import RunResult
from ai3ray.executor.port import Feed
from ai3ray.executor.ray.actor_errors import RECOVERY_S, CoreRestarting, result_of
from ai3ray.executor.single_flight import SingleFlight


class RayEngine:
    """The core actor as an `Engine`."""

    def __init__(self, core: ActorHandle[Any]) -> None:
        self._core = core
        self._feeds: SingleFlight[Feed] = SingleFlight()

    async def submit(
        self, request: RunRequest, *, owner: str = "", key: str | None = None, watch: bool = False
    ) -> Accepted:
        """Start a run."""
        accepted: Accepted = await self._call("submit", request, owner=owner, key=key, watch=watch)
        return accepted

    async def feed(self, run_id: str, after: int = 0, cursor: int = 0, *, deltas: bool = False) -> Feed:
        """Wait for the next events; readers at the same place share a call."""
        return await self._feeds.get(
            (run_id, after, cursor, deltas), lambda: self._call("feed", run_id, after, cursor, deltas=deltas)
        )

    async def result(self, run_id: str) -> RunResult:
        """Return a run's state."""
        result: RunResult = await self._call("result", run_id)
        return result

    async def owner_of(self, run_id: str) -> str:
        """Return the name of a run's API key."""
        owner: str = await self._call("owner_of", run_id)
        return owner

    async def runs(self, limit: int = 50, before: str | None = None, *, owner: str | None = None) -> Sequence[RunRow]:
        """Return runs, newest first."""
        rows: Sequence[RunRow] = await self._call("runs", limit, before, owner=owner)
        return rows

    async def cancel(self, run_id: str, by: str = "user") -> RunResult:
        """Cancel a run."""
        result: RunResult = await self._call("cancel", run_id, by)
        return result

    async def resume(self, run_id: str) -> RunResult:
        """Continue a run."""
        result: RunResult = await self._call("resume", run_id)
        return result

    async def plan(self, request: RunRequest, *, owner: str = "") -> PlanPreview:
        """Plan without running a task."""
        preview: PlanPreview = await self._call("plan", request, owner=owner)
        return preview

    async def models(self) -> Sequence[ModelView]:
        """Return models with live telemetry."""
        views: Sequence[ModelView] = await self._call("models")
        return views

    async def query(
        self, sql: str, *, max_rows: int = 10_000, isolated: bool = False, owner: str | None = None
    ) -> Table:
        """Run one SELECT over the journal."""
        table: Table = await self._call("query", sql, max_rows=max_rows, isolated=isolated, owner=owner)
        return table

    async def stats(self, *, owner: str | None = None) -> Stats:
        """Return totals over runs."""
        stats: Stats = await self._call("stats", owner=owner)
        return stats

    async def admit_caller(self, owner: str, limits: CallerLimits, *, spends: bool) -> None:
        """Count one request of an API key."""
        await self._call("admit_caller", owner, limits, spends=spends)

    async def spent_today(self, owner: str) -> float:
        """Return an owner's spending since 00:00 UTC."""
        usd: float = await self._call("spent_today", owner)
        return usd

    async def prune(self, older_than_s: float, *, dry_run: bool = False) -> PruneReport:
        """Delete old ended runs."""
        report: PruneReport = await self._call("prune", older_than_s, dry_run=dry_run)
        return report

    async def active(self) -> int:
        """Count unended runs."""
        count: int = await self._call("active")
        return count

    async def pids(self) -> list[int]:
        """Return core's and runners' process ids."""
        return await result_of(self._core.pids.remote())

    async def aclose(self) -> None:
        """Close the journal; runs can be resumed."""
        await result_of(self._core.aclose.remote())

    async def _call(self, method: str, *args: Any, **fields: Any) -> Any:
        """Repeat the idempotent call while Ray restarts the core."""
        async with asyncio.timeout(None) as clock:
            while True:
                try:
                    return await result_of(self._core.engine.remote(method, args, fields))
                except CoreRestarting:
                    if method == "submit" and fields.get("key") is None:
                        raise  # without a key, a second call could start a second run
                    if clock.when() is None:
                        clock.reschedule(asyncio.get_running_loop().time() + RECOVERY_S)
                    await asyncio.sleep(0.1)
