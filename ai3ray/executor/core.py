"""The core, on one event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TypeVar, cast

from ai3ray.domain.access import CallerLimits
from ai3ray.domain.error_info import error_info
from ai3ray.domain.events import Stats, TaskVerified
from ai3ray.domain.listings import Accepted, ModelView, PlanPreview, PruneReport, RunRow, Table
from ai3ray.domain.money import spent
from ai3ray.domain.plan import Kind, TaskGraph, parse_graph
from ai3ray.domain.request import RunRequest
from ai3ray.domain.result import RunResult, run_result
from ai3ray.errors import Ai3Error, BudgetSpent, RunError, StaleEpoch, Throttled
from ai3ray.executor.acceptance import check_request
from ai3ray.executor.conductor import Conductor
from ai3ray.executor.configured_models import ConfiguredModels
from ai3ray.executor.estimate import preview
from ai3ray.executor.feeds import RunFeeds
from ai3ray.executor.intake import Intake
from ai3ray.executor.lease_desk import LeaseDesk
from ai3ray.executor.port import Entries, Feed, Granted, RunnerPool, Sync, Synced
from ai3ray.executor.request_rate_limit import RequestRateLimit, until_midnight_s
from ai3ray.journal.store import DuckDBJournal
from ai3ray.pool.pool import ProviderPool
from ai3ray.registry.registry import Registry
from ai3ray.settings.model import Settings
from ai3ray.telemetry.observers import Observers

T = TypeVar("T")

YIELD_EVERY = 8
"""Items of a sync per turn of the loop."""
PATIENCE_S = 1.0
"""Seconds to wait for durable leases."""


class Core:
    """`Engine` for the app, `CorePort` for runners, `ConductorHost` for conductors.

    `configured` names the providers with a key or an address.
    """

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        configured: tuple[str, ...],
        *,
        journal: DuckDBJournal,
        pool: ProviderPool,
        observers: Observers,
    ) -> None:
        self._registry = registry
        self._journal = journal
        self._pool = pool
        self._check = partial(check_request, settings=settings, registry=registry, configured=configured)
        self._intake = Intake(journal, check=self._check, conduct=self._conduct)
        self._feeds = RunFeeds(journal)
        self._lease_desk = LeaseDesk(pool, journal, observers)
        self._models = ConfiguredModels(registry, settings, configured)
        self._slots = asyncio.Semaphore(settings.max_runs)
        self._request_rate_limit = RequestRateLimit(time.monotonic)
        self._conductors: dict[str, tuple[Conductor, asyncio.Task[None]]] = {}
        self.runner_pool: RunnerPool | None = None

    def start(self, runner_pool: RunnerPool) -> None:
        """Start conducting, first the runs left open."""
        self.runner_pool = runner_pool
        for run_id in self._journal.open_runs():
            self._intake.take_over(run_id)

    # ── for the app ──────────────────────────────────────────────────────────────────────────────

    async def submit(
        self, request: RunRequest, *, owner: str = "", key: str | None = None, watch: bool = False
    ) -> Accepted:
        """Journal a run, then start it."""
        return await self._intake.accept(request, owner=owner, key=key, watch=watch)

    async def plan(self, request: RunRequest, *, owner: str = "") -> PlanPreview:
        """Plan without running a task."""
        if request.plan is not None:
            checked = self._check(request)
            graph = parse_graph(request.plan, max_tasks=checked.request.max_tasks or 1)
            return preview(graph, checked.request, self._pool, self._registry.prices)
        accepted = await self._intake.accept(request, "plan", owner=owner)
        await asyncio.wait({self._conductors[accepted.run_id][1]})
        state = self._journal.state(accepted.run_id)
        if state.output is None:
            failed = state.error
            if failed is None:
                raise RunError(f"planning ended as {state.status}")
            raise (BudgetSpent if failed.type == BudgetSpent.type else RunError)(failed.message)
        graph = TaskGraph.model_validate_json(state.output)
        filled = RunRequest.model_validate(state.request)
        return preview(graph, filled, self._pool, self._registry.prices, state.warnings)

    async def cancel(self, run_id: str, by: str = "user") -> RunResult:
        """Cancel a run and wait."""
        await self._journal.committed_state(run_id)  # raises UnknownRun
        if run_id in self._conductors:
            conductor, task = self._conductors[run_id]
            conductor.cancelled_by = by
            self.stop_run(run_id)
            task.cancel()
            await asyncio.wait({task})
        return await self.result(run_id)

    async def resume(self, run_id: str) -> RunResult:
        """Continue an unended run."""
        await self._journal.committed_state(run_id)
        if not self._journal.state(run_id).complete and run_id not in self._conductors:
            self._intake.take_over(run_id)
        return await self.result(run_id)

    async def feed(self, run_id: str, after: int = 0, cursor: int = 0, *, deltas: bool = False) -> Feed:
        """Wait for a run's next events."""
        return await self._feeds.next(run_id, after, cursor, deltas=deltas)

    async def result(self, run_id: str) -> RunResult:
        """Return a run's state."""
        return run_result(await self._journal.committed_state(run_id), self._journal.now(run_id))

    async def owner_of(self, run_id: str) -> str:
        """Return the name of a run's API key."""
        await self._journal.committed_state(run_id)
        return self._journal.meta(run_id).owner

    async def runs(self, limit: int = 50, before: str | None = None, *, owner: str | None = None) -> Sequence[RunRow]:
        """Return runs, newest first."""
        return await self._journal.runs(limit, before, owner=owner)

    async def models(self) -> Sequence[ModelView]:
        """Return models with live telemetry."""
        return self._pool.views()

    async def query(
        self, sql: str, *, max_rows: int = 10_000, isolated: bool = False, owner: str | None = None
    ) -> Table:
        """Run one SELECT over the journal."""
        if isolated or owner is not None:
            return await self._journal.query_isolated(sql, max_rows=max_rows, owner=owner)
        return await self._journal.query(sql, max_rows=max_rows)

    async def stats(self, *, owner: str | None = None) -> Stats:
        """Return totals over runs."""
        return await self._journal.stats(owner)

    async def admit_caller(self, owner: str, limits: CallerLimits, *, spends: bool) -> None:
        """Count one request."""
        if limits.rpm is not None and (wait_s := self._request_rate_limit.wait_s(owner, limits.rpm)):
            raise Throttled(f"API key {owner!r} may make {limits.rpm} requests a minute", wait_s)
        if spends and limits.usd_per_day is not None and await self.spent_today(owner) >= limits.usd_per_day:
            raise Throttled(
                f"API key {owner!r} has spent its ${limits.usd_per_day:g} for today (UTC)", until_midnight_s()
            )

    async def spent_today(self, owner: str) -> float:
        """Return an owner's spending since 00:00 UTC."""
        return self._pool.budgets.spent_today(owner)

    async def prune(self, older_than_s: float, *, dry_run: bool = False) -> PruneReport:
        """Delete old ended runs."""
        return await self._journal.prune(older_than_s, dry_run=dry_run)

    async def active(self) -> int:
        """Count unended runs."""
        return len(self._conductors)

    # ── for the runners ──────────────────────────────────────────────────────────────────────────

    async def sync(self, sync: Sync) -> Synced:
        """Handle a runner's messages."""
        async for settlement in _yielding(sync.settlements):
            self._lease_desk.settle(settlement)
        for delta in sync.deltas:  # before the entries: a text's pieces precede its artifact
            self._feeds.add(delta)
        refused = {}
        for entries in sync.entries:
            try:
                self._journal_entries(entries)
            except Ai3Error as error:
                refused[entries.key] = error_info(error)
        self._lease_desk.withdraw(sync.withdrawn)
        async for request in _yielding(sync.leases):
            try:
                self._check_epoch(request.run_id, request.epoch)
            except Ai3Error as error:
                self._lease_desk.refuse(sync.runner_id, request, error)
            else:
                self._lease_desk.request(sync.runner_id, request)
        grants = await self._lease_desk.collect(sync.runner_id, patience_s=PATIENCE_S)
        return Synced(grants=grants, refused=refused, watched=self._feeds.watched())

    async def grants(self, runner_id: str) -> Granted:
        """Wait for a runner's answers."""
        grants = await self._lease_desk.wait(runner_id)
        return Granted(grants=grants, watched=self._feeds.watched())

    def runner_died(self, runner_id: str) -> None:
        """Free all that a dead runner held."""
        self._lease_desk.runner_died(runner_id)

    # ── for the conductors ───────────────────────────────────────────────────────────────────────

    def slot(self) -> AbstractAsyncContextManager[object]:
        """Return one of `max_runs` slots."""
        return self._slots

    def runner_lost(self, run_id: str, task_id: str | None) -> None:
        """Settle a dead runner's calls as lost."""
        self._lease_desk.runner_lost(run_id, task_id)

    def stop_run(self, run_id: str) -> None:
        """Stop the run's calls, now and later."""
        self._lease_desk.stop_run(run_id)
        if self.runner_pool is not None:
            self.runner_pool.stop_run(run_id)

    # ── its own life ─────────────────────────────────────────────────────────────────────────────

    async def aclose_runs(self) -> None:
        """Stop conducting; runs can be resumed."""
        await self._intake.drain()
        tasks = [task for _, task in self._conductors.values()]
        for conductor, task in self._conductors.values():
            conductor.leave_open = True
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def aclose(self) -> None:
        """Stop conducting; close the journal."""
        await self.aclose_runs()
        self._lease_desk.aclose()
        await self._journal.aclose()

    def _conduct(self, run_id: str, request: RunRequest, *, watch: bool = False) -> None:
        assert self.runner_pool is not None, "start() comes first"
        self._feeds.begin(run_id)
        if watch:
            self._feeds.watch(run_id)
        state, owner = self._journal.state(run_id), self._journal.meta(run_id).owner
        self._pool.budgets.open_run(run_id, request.budget_usd, owner=owner, spent=spent(state))
        conductor = Conductor(
            run_id, request, host=self, journal=self._journal, runner_pool=self.runner_pool, models=self._models
        )
        task = asyncio.create_task(self._supervise(run_id, conductor), name=run_id)
        self._conductors[run_id] = (conductor, task)

    async def _supervise(self, run_id: str, conductor: Conductor) -> None:
        try:
            await conductor.conduct()
        finally:
            self._lease_desk.drop_run(run_id)
            del self._conductors[run_id]
            self._feeds.end(run_id)

    def _journal_entries(self, entries: Entries) -> None:
        self._check_epoch(entries.run_id, entries.epoch)
        before = self._journal.state(entries.run_id).seq
        self._journal.put(entries.run_id, entries.events, entries.attempts, key=entries.key)
        state = self._journal.state(entries.run_id)
        if state.seq == before:
            return  # a repeated key: its verdicts are already counted
        for event in entries.events:
            if isinstance(event, TaskVerified) and event.verdict is not None:
                task = state.tasks[event.task_id or ""]
                if task.model is not None:
                    kind, verdict = cast("Kind", task.kind), event.verdict
                    self._pool.record_verdict(task.model, kind, passed=verdict.passed, score=verdict.score)

    def _check_epoch(self, run_id: str, epoch: int | None) -> None:
        if epoch is not None and epoch != self._journal.meta(run_id).epoch:
            raise StaleEpoch(f"run {run_id} was taken over by another core")


async def _yielding(items: Sequence[T]) -> AsyncIterator[T]:
    """Yield items, letting the loop serve others in between."""
    for number, item in enumerate(items, 1):
        yield item
        if not number % YIELD_EVERY:
            await asyncio.sleep(0)
