"""The core: journal, pool and conductors on one event loop. Runners and the app talk to it; it alone decides."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any, TypeVar, cast

from ai3ray.domain.access import CallerLimits
from ai3ray.domain.error_info import error_info
from ai3ray.domain.events import Event, Purpose, RunStart, Stats, TaskVerified, TextDelta, event_type
from ai3ray.domain.ids import new_id
from ai3ray.domain.listings import Accepted, ModelView, PlanPreview, PruneReport, RunRow, Table
from ai3ray.domain.money import spent
from ai3ray.domain.plan import Kind, TaskGraph, parse_graph
from ai3ray.domain.request import RunRequest
from ai3ray.domain.result import RunResult, run_result
from ai3ray.domain.run import RunState
from ai3ray.errors import Ai3Error, BudgetSpent, KeyReused, RunError, StaleEpoch, Throttled, UnknownRun
from ai3ray.executor.acceptance import check_request
from ai3ray.executor.conductor import Conductor
from ai3ray.executor.configured_models import ConfiguredModels
from ai3ray.executor.deltas import DeltaBuffer
from ai3ray.executor.estimate import estimate, exceeds_budget
from ai3ray.executor.lease_desk import LeaseDesk
from ai3ray.executor.port import Entries, Feed, FeedItem, Granted, RunnerPool, Sync, Synced
from ai3ray.executor.recovery import lost_calls
from ai3ray.executor.request_rate_limit import RequestRateLimit, until_midnight_s
from ai3ray.journal.port import RunMeta
from ai3ray.journal.store import DuckDBJournal
from ai3ray.pool.pool import ProviderPool
from ai3ray.registry.registry import Registry
from ai3ray.settings.model import Settings

log = logging.getLogger(__name__)
T = TypeVar("T")

LINGER_S = 30.0
"""Seconds that a finished run's deltas stay for readers who are behind."""
AT_A_TIME = 8
"""Calls of one report that are looked at before others have their turn."""
PATIENCE_S = 1.0
"""Seconds that a runner's report waits for its leases to be on disk; the next reports must not wait with it."""


class Core:
    """Implements `Engine` for the app and `CorePort` for the runners.

    Args:
        settings: limits and defaults of this engine.
        registry: the models.
        configured: names of the providers that have a key or an address here.
        journal: the durable history.
        pool: limits and routing.
    """

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        configured: tuple[str, ...],
        *,
        journal: DuckDBJournal,
        pool: ProviderPool,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._configured = configured
        self._journal = journal
        self._pool = pool
        self._lease_desk = LeaseDesk(pool, journal)
        self._models = ConfiguredModels(registry, settings, configured)
        self.runner_pool: RunnerPool | None = None
        self._slots = asyncio.Semaphore(settings.max_runs)
        self._request_rate_limit = RequestRateLimit(time.monotonic)
        self._accepting: set[asyncio.Task[Accepted]] = set()
        self._conductors: dict[str, tuple[Conductor, asyncio.Task[None]]] = {}
        self._deltas: dict[str, DeltaBuffer] = {}

    def start(self, runner_pool: RunnerPool) -> None:
        """Take up the work: from now on runs are conducted, and those a former core left open go on."""
        self.runner_pool = runner_pool
        for run_id in self._journal.open_runs():
            self._take_over(run_id)

    # ── for the app ──────────────────────────────────────────────────────────────────────────────

    async def submit(
        self, request: RunRequest, *, owner: str = "", key: str | None = None, watch: bool = False
    ) -> Accepted:
        """Make the run durable, then start it; see `Engine.submit`."""
        return await self._seen_through(self._accept(request, "run", owner=owner, key=key, watch=watch))

    async def feed(self, run_id: str, after: int = 0, cursor: int = 0, *, deltas: bool = False) -> Feed:
        """The next events of a run; see `Engine.feed`."""
        await self._journal.shown(run_id)
        if not deltas:
            return self._feed(run_id, after, cursor, await self._journal.tail(run_id, after), None)
        buffer = self._delta_buffer(run_id)
        buffer.watch()
        tail = asyncio.ensure_future(self._journal.tail(run_id, after))
        piece = asyncio.ensure_future(buffer.wait(cursor))
        try:
            await asyncio.wait({tail, piece}, return_when=asyncio.FIRST_COMPLETED)
            if not tail.done() and not buffer.after(cursor, after, after):
                await tail  # a delta that belongs after an event not yet committed: wait for the event
            return self._feed(run_id, after, cursor, tail.result() if tail.done() else (), buffer)
        finally:
            tail.cancel()
            piece.cancel()

    async def result(self, run_id: str) -> RunResult:
        """The run as it stands. Raises UnknownRun."""
        return run_result(await self._journal.shown(run_id), self._journal.now(run_id))

    async def owner_of(self, run_id: str) -> str:
        """Name of the API key that started the run. Raises UnknownRun."""
        await self._journal.shown(run_id)
        return self._journal.meta(run_id).owner

    async def runs(self, limit: int = 50, before: str | None = None, *, owner: str | None = None) -> Sequence[RunRow]:
        """Runs, newest first; those of one owner when one is named."""
        return await self._journal.runs(limit, before, owner=owner)

    async def cancel(self, run_id: str, by: str = "user") -> RunResult:
        """Cancel the run and wait until it has ended."""
        await self._journal.shown(run_id)  # raises UnknownRun
        if run_id in self._conductors:
            conductor, task = self._conductors[run_id]
            conductor.cancelled_by = by
            self._stop(run_id)
            task.cancel()
            await asyncio.wait({task})
        return await self.result(run_id)

    async def resume(self, run_id: str) -> RunResult:
        """See to it that the run goes on if it has not ended; see `Engine.resume`."""
        await self._journal.shown(run_id)
        if not self._journal.state(run_id).complete and run_id not in self._conductors:
            self._take_over(run_id)
        return await self.result(run_id)

    async def plan(self, request: RunRequest, *, owner: str = "") -> PlanPreview:
        """Plan without running a task. The planner's call is journaled and billed as a run of its own."""
        if request.plan is not None:
            checked = check_request(request, self._settings, self._registry, self._configured)
            graph = parse_graph(request.plan, max_tasks=checked.request.max_tasks or 1)
            return self._preview(graph, checked.request)
        accepted = await self._seen_through(self._accept(request, "plan", owner=owner, key=None))
        await asyncio.wait({self._conductors[accepted.run_id][1]})
        state = self._journal.state(accepted.run_id)
        if state.output is None:
            raise _unplanned(state)
        graph = TaskGraph.model_validate_json(state.output)
        return self._preview(graph, RunRequest.model_validate(state.request), state.warnings)

    async def models(self) -> Sequence[ModelView]:
        """The registry with live telemetry."""
        return self._pool.views()

    async def query(
        self, sql: str, *, max_rows: int = 10_000, isolated: bool = False, owner: str | None = None
    ) -> Table:
        """One read-only SELECT over the journal; see `Engine.query`."""
        if isolated or owner is not None:
            return await self._journal.query_isolated(sql, max_rows=max_rows, owner=owner)
        return await self._journal.query(sql, max_rows=max_rows)

    async def stats(self, *, owner: str | None = None) -> Stats:
        """All runs in figures; those of one owner when one is named."""
        return await self._journal.stats(owner)

    async def admit_caller(self, owner: str, limits: CallerLimits, *, spends: bool) -> None:
        """Count one request of an API key; see `Engine.admit_caller`."""
        if limits.rpm is not None and (wait_s := self._request_rate_limit.wait_s(owner, limits.rpm)):
            raise Throttled(f"{owner} may ask {limits.rpm} times a minute", wait_s)
        if spends and limits.usd_per_day is not None and await self.spent_today(owner) >= limits.usd_per_day:
            raise Throttled(f"{owner} has spent its ${limits.usd_per_day:g} of today (UTC)", until_midnight_s())

    async def spent_today(self, owner: str) -> float:
        """US dollars that an owner's runs have spent since 00:00 UTC; see `Engine.spent_today`."""
        return self._pool.budgets.spent_today(owner)

    async def prune(self, older_than_s: float, *, dry_run: bool = False) -> PruneReport:
        """Delete the runs that ended more than so many seconds ago; see `Engine.prune`."""
        return await self._journal.prune(older_than_s, dry_run=dry_run)

    async def active(self) -> int:
        """Runs that have not ended."""
        return len(self._conductors)

    # ── for the runners ──────────────────────────────────────────────────────────────────────────

    async def sync(self, sync: Sync) -> Synced:
        """Take what a runner has gathered; see `CorePort.sync`."""
        async for settlement in _in_turns(sync.settlements):
            self._lease_desk.settle(settlement)
        for delta in sync.deltas:  # before the entries: a text's pieces come before its artifact
            self._pass_on(delta)
        refused = {}
        for entries in sync.entries:
            try:
                self._place(entries)
            except Ai3Error as error:
                refused[entries.key] = error_info(error)
        self._lease_desk.withdraw(sync.withdrawn)
        async for request in _in_turns(sync.leases):
            try:
                self._check_epoch(request.run_id, request.epoch)
            except Ai3Error as error:
                self._lease_desk.refuse(sync.runner_id, request, error)
            else:
                self._lease_desk.ask(sync.runner_id, request)
        grants = await self._lease_desk.collect(sync.runner_id, patience_s=PATIENCE_S)
        return Synced(grants=grants, refused=refused, watched=self._watched())

    async def grants(self, runner_id: str) -> Granted:
        """Wait until waiting requests of this runner are answered."""
        grants = await self._lease_desk.wait(runner_id)
        return Granted(grants=grants, watched=self._watched())

    def runner_died(self, runner_id: str) -> None:
        """A runner's process has ended: what it held is free at once, whatever becomes of its runs."""
        self._lease_desk.runner_died(runner_id)

    async def aclose_runs(self) -> None:
        """Stop conducting and leave the runs resumable."""
        await asyncio.gather(*self._accepting, return_exceptions=True)
        tasks = [task for _, task in self._conductors.values()]
        for conductor, task in self._conductors.values():
            conductor.leave_open = True
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def aclose(self) -> None:
        """Stop conducting and close the journal."""
        await self.aclose_runs()
        self._lease_desk.aclose()
        await self._journal.aclose()

    # ── inside ───────────────────────────────────────────────────────────────────────────────────

    async def _seen_through(self, accepting: Coroutine[Any, Any, Accepted]) -> Accepted:
        """Accept a run even if its caller leaves in the middle: once it is in the journal, it has to be conducted.

        Ray Serve cancels every actor call of a request whose client has gone.
        """
        task = asyncio.create_task(accepting, name="accept")
        self._accepting.add(task)
        task.add_done_callback(self._accepting.discard)
        return await asyncio.shield(task)

    async def _accept(
        self, request: RunRequest, purpose: Purpose, *, owner: str, key: str | None, watch: bool = False
    ) -> Accepted:
        checked = check_request(request, self._settings, self._registry, self._configured)
        body_hash = _hash(request)
        scoped = f"{owner}:{key}" if key is not None else None
        if scoped is not None and (known := await self._known(scoped, body_hash)) is not None:
            return known
        run_id = new_id("run")
        body = checked.request.model_dump(mode="json", by_alias=True, exclude_none=True)
        receipt = self._journal.put(
            run_id,
            [RunStart(request=body, purpose=purpose), *checked.warnings],
            meta=RunMeta(owner=owner, request_key=scoped, request_hash=body_hash),
        )
        await receipt.committed()
        if watch:
            self._deltas.setdefault(run_id, DeltaBuffer()).watch()
        self._conduct(run_id, checked.request)
        return Accepted(run_id=run_id, status="queued")

    async def _known(self, key: str, body_hash: str) -> Accepted | None:
        """The run that this idempotency key made, if it came before with the same body."""
        found = self._journal.find_by_key(key)
        if found is None:
            return None
        run_id, known_hash = found
        if known_hash != body_hash:
            raise KeyReused("this Idempotency-Key came before with another body")
        try:
            await self._journal.tail(run_id, 0)  # the first request may still be on its way to the disk
        except UnknownRun:
            return None  # it never got there
        return Accepted(run_id=run_id, status=self._journal.state(run_id).status)

    def _conduct(self, run_id: str, request: RunRequest) -> None:
        assert self.runner_pool is not None, "start() comes first"
        so_far, owner = spent(self._journal.state(run_id)), self._journal.meta(run_id).owner
        self._pool.budgets.open_run(run_id, request.budget_usd, owner=owner, spent=so_far)
        conductor = Conductor(
            run_id,
            request,
            journal=self._journal,
            runner_pool=self.runner_pool,
            epoch=self._journal.meta(run_id).epoch,
            slots=self._slots,
            on_lost=self._lease_desk.lost,
            models=self._models,
            on_stop=self._stop,
        )
        task = asyncio.create_task(self._drive(run_id, conductor), name=run_id)
        self._conductors[run_id] = (conductor, task)

    async def _drive(self, run_id: str, conductor: Conductor) -> None:
        """One run from its turn to its end; whatever it held is given back."""
        try:
            await conductor.conduct()
        finally:
            self._lease_desk.drop_run(run_id)
            del self._conductors[run_id]
            asyncio.get_running_loop().call_later(LINGER_S, self._deltas.pop, run_id, None)

    def _take_over(self, run_id: str) -> None:
        """Go on with a run that a former core left open; its calls in flight may have been paid."""
        state, meta = self._journal.state(run_id), self._journal.meta(run_id)
        self._journal.put(run_id, (), lost_calls(state), meta=meta.model_copy(update={"epoch": meta.epoch + 1}))
        self._conduct(run_id, RunRequest.model_validate(state.request))

    def _place(self, entries: Entries) -> None:
        self._check_epoch(entries.run_id, entries.epoch)
        before = self._journal.state(entries.run_id).seq
        self._journal.put(entries.run_id, entries.events, entries.attempts, key=entries.key)
        state = self._journal.state(entries.run_id)
        if state.seq > before:  # what came before under the same key is not heard twice
            self._learn(entries.events, state)

    def _learn(self, events: Sequence[Event], state: RunState) -> None:
        """Each verdict tells the router what the author of the task's latest answer is worth."""
        for event in events:
            if isinstance(event, TaskVerified) and event.verdict is not None:
                task = state.tasks[event.task_id or ""]
                if task.model is not None:
                    kind = cast("Kind", task.kind)
                    self._pool.record_verdict(task.model, kind, passed=event.verdict.passed, score=event.verdict.score)

    def _check_epoch(self, run_id: str, epoch: int | None) -> None:
        """Raises StaleEpoch for a writer, or an asker, that works for an owner of the past."""
        if epoch is not None and epoch != self._journal.meta(run_id).epoch:
            raise StaleEpoch(f"run {run_id} has another owner by now")

    def _stop(self, run_id: str) -> None:
        """From now on the run is granted no call, and no runner begins one for it."""
        self._lease_desk.stop_run(run_id)
        if self.runner_pool is not None:
            self.runner_pool.stop_run(run_id)

    def _watched(self) -> tuple[str, ...]:
        return tuple(run_id for run_id, buffer in self._deltas.items() if buffer.watched)

    def _delta_buffer(self, run_id: str) -> DeltaBuffer:
        """A run's deltas: those to come, and for a while after its end those that its readers have not had."""
        if run_id in self._deltas:
            return self._deltas[run_id]
        return self._deltas.setdefault(run_id, DeltaBuffer()) if run_id in self._conductors else DeltaBuffer()

    def _pass_on(self, delta: TextDelta) -> None:
        buffer = self._deltas.get(delta.run_id)
        if buffer is not None and buffer.watched:
            stamped = delta.model_copy(update={"ts": self._journal.now(delta.run_id)})
            buffer.add(stamped, self._journal.state(delta.run_id).seq)

    def _feed(self, run_id: str, after: int, cursor: int, lines: Sequence[str], buffer: DeltaBuffer | None) -> Feed:
        """Events and deltas in their order: a delta stands behind the event it came after."""
        events = [FeedItem(type=event_type(line), seq=seq, data=line) for seq, line in enumerate(lines, after + 1)]
        last = after + len(events)
        pieces = buffer.after(cursor, after, last) if buffer is not None else []
        order = [((event.seq or 0, 0), event) for event in events] + [((seq, 1), item) for _, seq, item in pieces]
        order.sort(key=lambda entry: entry[0])
        state = self._journal.state(run_id)
        return Feed(
            items=tuple(item for _, item in order),
            cursor=pieces[-1][0] if pieces else cursor,
            done=state.complete and last >= state.seq,
        )

    def _preview(self, graph: TaskGraph, request: RunRequest, warnings: Sequence[str] = ()) -> PlanPreview:
        """A plan and what running it would take."""
        figures = estimate(graph, request, self._pool, self._registry.prices)
        return PlanPreview(plan=graph, estimate=figures, warnings=(*warnings, *exceeds_budget(figures, request)))


async def _in_turns(items: Sequence[T]) -> AsyncIterator[T]:
    """The items, letting the loop do other things in between: replies to other runners do not wait for a long list."""
    for number, item in enumerate(items, 1):
        yield item
        if not number % AT_A_TIME:
            await asyncio.sleep(0)


def _unplanned(state: RunState) -> RunError:
    """Why there is no plan."""
    if state.error is None:
        return RunError(f"planning ended as {state.status}")
    kind = BudgetSpent if state.error.type == BudgetSpent.type else RunError
    return kind(state.error.message)


def _hash(request: RunRequest) -> str:
    return hashlib.sha256(request.model_dump_json(by_alias=True).encode()).hexdigest()
