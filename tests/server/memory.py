"""An engine in memory for tests of its hosts: runs follow a script, and wait where a test wants them to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from ai3ray.domain.access import CallerLimits
from ai3ray.domain.call import ErrorInfo, Usage
from ai3ray.domain.events import (
    AssembleStart,
    Cancelled,
    Event,
    Final,
    PlanProgress,
    RunFailed,
    RunStart,
    Stats,
    StatsEvent,
    TaskArtifact,
    TaskStart,
    TextDelta,
)
from ai3ray.domain.listings import Accepted, ModelView, PlanPreview, PruneReport, RunRow, Table
from ai3ray.domain.plan import single_task
from ai3ray.domain.request import RunRequest
from ai3ray.domain.result import RunResult, run_result
from ai3ray.domain.run import RunState, apply
from ai3ray.errors import KeyReused, NoModelLeft, Throttled, UnknownModel, UnknownRun
from ai3ray.executor.port import Feed, FeedItem
from ai3ray.server.port import HostedEngine

STATS = Stats(
    cost_usd=0.25,
    cost_complete=True,
    input_tokens=3,
    output_tokens=4,
    calls=1,
    tasks=1,
    seconds=0.5,
    critical_path_seconds=0.5,
)
MODEL = ModelView(
    model="scripted/echo",
    provider="scripted",
    tier="small",
    context=1000,
    max_output=100,
    configured=True,
    state="ready",
    input_usd_per_mtok=None,
    output_usd_per_mtok=None,
    calls=0,
    success=None,
    p50_s=None,
    p95_s=None,
    cost_usd=None,
)


class MemoryRun:
    """One run: its history, its deltas, and a task that writes them."""

    def __init__(self, run_id: str, request: RunRequest, owner: str) -> None:
        self.run_id = run_id
        self.owner = owner
        self.request = request
        self.state = RunState()
        self.items: list[FeedItem] = []
        self.changed = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    def emit(self, *events: Event) -> None:
        for event in events:
            if isinstance(event, TextDelta):
                stamped = event.model_copy(update={"run_id": self.run_id, "ts": "2026-01-01T00:00:00.000Z"})
                self.items.append(FeedItem(type=stamped.type, seq=None, data=stamped.line()))
            else:
                changes = {"run_id": self.run_id, "seq": self.state.seq + 1, "ts": "2026-01-01T00:00:00.000Z"}
                stamped = event.model_copy(update=changes)
                self.state = apply(self.state, stamped)
                self.items.append(FeedItem(type=stamped.type, seq=stamped.seq, data=stamped.line()))
        self.changed.set()
        self.changed = asyncio.Event()


class MemoryEngine:
    """Answers with the prompt in capitals. A prompt that begins with `hold` waits for `release`."""

    def __init__(self) -> None:
        self.all: dict[str, MemoryRun] = {}
        self.keys: dict[str, tuple[str, RunRequest]] = {}
        self.resumed: list[str] = []
        self.queries: list[tuple[str, bool, str | None]] = []
        self.admitted: list[tuple[str, CallerLimits, bool]] = []
        self.release = asyncio.Event()
        self.asked = asyncio.Event()

    async def submit(
        self, request: RunRequest, *, owner: str = "", key: str | None = None, watch: bool = False
    ) -> Accepted:
        if request.models == ("nobody",):
            raise UnknownModel("there is no model 'nobody'", "models")
        key = f"{owner}:{key}" if key is not None else None
        if key is not None and key in self.keys:
            run_id, known = self.keys[key]
            if known != request:
                raise KeyReused("this Idempotency-Key was used with another body; use a new key")
            return Accepted(run_id=run_id, status=self.all[run_id].state.status)
        run = MemoryRun(f"run_{len(self.all) + 1}", request, owner)
        self.all[run.run_id] = run
        if key is not None:
            self.keys[key] = (run.run_id, request)
        run.emit(RunStart(request=request.model_dump(mode="json", by_alias=True, exclude_none=True)))
        run.task = asyncio.create_task(self._conduct(run))
        return Accepted(run_id=run.run_id, status="queued")

    async def _conduct(self, run: MemoryRun) -> None:
        graph = single_task(run.request.prompt)
        try:
            run.emit(PlanProgress(phase="started"))
            plan = graph.model_dump(mode="json", exclude_none=True)
            run.emit(PlanProgress(phase="completed", plan=plan, source="template"))
            run.emit(TaskStart(task_id="answer", attempt_id="att_1", model="scripted/echo"))
            run.emit(TextDelta(type="task_delta", task_id="answer", text="HO"))
            if run.request.prompt.startswith("hold"):
                await self.release.wait()
            if run.request.prompt == "fail":
                run.emit(RunFailed(error=ErrorInfo(type="no_model_left", message="nobody is left")))
            else:
                self._answer(run, run.request.prompt.upper())
        except asyncio.CancelledError:
            run.emit(Cancelled(by="user"))
        run.emit(StatsEvent.of(STATS))

    def _answer(self, run: MemoryRun, text: str) -> None:
        run.emit(
            TaskArtifact(
                task_id="answer", artifact="sha256:0", text=text, model="scripted/echo", usage=Usage(), cost_usd=None
            ),
            AssembleStart(assembly="last", holes=()),
            Final(status="succeeded", output=text),
        )

    async def feed(self, run_id: str, after: int = 0, cursor: int = 0, *, deltas: bool = False) -> Feed:
        self.asked.set()
        run = self._run(run_id)
        while True:
            items = run.items[cursor:] if deltas else [item for item in run.items if item.seq]
            fresh = tuple(item for item in items if item.seq is None or item.seq > after)
            if fresh or run.state.complete:
                return Feed(items=fresh, cursor=len(run.items), done=run.state.complete)
            await run.changed.wait()

    async def result(self, run_id: str) -> RunResult:
        return run_result(self._run(run_id).state)

    async def owner_of(self, run_id: str) -> str:
        return self._run(run_id).owner

    async def admit_caller(self, owner: str, limits: CallerLimits, *, spends: bool) -> None:
        """Counts `rpm` down to nothing."""
        self.admitted.append((owner, limits, spends))
        asked = sum(name == owner for name, *_ in self.admitted)
        if limits.rpm is not None and asked > limits.rpm:
            raise Throttled(f"API key {owner!r} may make {limits.rpm} requests a minute", 12.3)

    async def runs(self, limit: int = 50, before: str | None = None, *, owner: str | None = None) -> Sequence[RunRow]:
        ids = [run_id for run_id in reversed(self.all) if owner in (None, self.all[run_id].owner)]
        ids = ids[ids.index(before) + 1 :] if before else ids
        return [self._row(self.all[run_id]) for run_id in ids[:limit]]

    async def cancel(self, run_id: str, by: str = "user") -> RunResult:
        run = self._run(run_id)
        if run.task is not None and not run.task.done():
            await asyncio.sleep(0)  # a task that is cancelled before it begins says nothing
            run.task.cancel()
            await asyncio.wait({run.task})
        return await self.result(run_id)

    async def resume(self, run_id: str) -> RunResult:
        self.resumed.append(run_id)
        return await self.result(run_id)

    async def prune(self, older_than_s: float, *, dry_run: bool = False) -> PruneReport:
        """Every ended run is old enough when no age is asked for, else none."""
        ended = [run for run in self.all.values() if run.state.complete and not older_than_s]
        if not dry_run:
            for run in ended:
                del self.all[run.run_id]
        return PruneReport(runs=len(ended), events=sum(run.state.seq for run in ended), bytes=0, dry_run=dry_run)

    async def plan(self, request: RunRequest, *, owner: str = "") -> PlanPreview:
        if request.prompt == "fail":
            raise NoModelLeft("nobody is left to plan")
        return PlanPreview(plan=single_task(request.prompt), estimate={"cost_usd": None, "seconds": 1.5})

    async def models(self) -> Sequence[ModelView]:
        return [MODEL]

    async def query(
        self, sql: str, *, max_rows: int = 10_000, isolated: bool = False, owner: str | None = None
    ) -> Table:
        self.queries.append((sql, isolated, owner))
        rows = [(n, float("nan")) for n in range(3)]
        return Table(columns=("n", "n"), rows=tuple(rows[:max_rows]), truncated=max_rows < len(rows))

    async def stats(self, *, owner: str | None = None) -> Stats:
        return STATS if owner is None else STATS.model_copy(update={"cost_usd": 0.0})

    async def active(self) -> int:
        return sum(not run.state.complete for run in self.all.values())

    async def aclose(self) -> None:
        for run in self.all.values():
            await self.cancel(run.run_id)

    def _run(self, run_id: str) -> MemoryRun:
        if run_id not in self.all:
            raise UnknownRun(f"there is no run {run_id!r}")
        return self.all[run_id]

    def _row(self, run: MemoryRun) -> RunRow:
        return RunRow(
            run_id=run.run_id,
            status=run.state.status,
            prompt=run.request.prompt,
            started_at=run.state.created_at,
            seconds=None,
            cost_usd=None,
        )


@asynccontextmanager
async def memory_host() -> AsyncIterator[HostedEngine]:
    """A memory engine as a host's engine."""
    engine = MemoryEngine()
    try:
        yield HostedEngine(engine)
    finally:
        await engine.aclose()
