"""The wall clock may be set, by hours, at any moment: order, lengths of time and deadlines do not mind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ai3ray.domain.events import PlanProgress, RunStart, TaskStart, Warned, parse_event
from ai3ray.domain.request import RunRequest
from ai3ray.domain.result import run_result
from ai3ray.executor.conductor import Conductor
from ai3ray.executor.configured_models import ConfiguredModels
from ai3ray.executor.port import Outcome, Ref, TaskJob
from ai3ray.journal.memory import MemoryJournal
from ai3ray.journal.run_clock import RunClock
from ai3ray.journal.store import DuckDBJournal
from ai3ray.registry.registry import Registry
from ai3ray.settings.load import load_settings
from tests.executor.graphs import wide
from tests.executor.hosts import LoneHost
from tests.journal.histories import MODEL, answered, planned, started, whole_run

HOUR_S = 3600.0


class Clocks:
    """A wall clock that somebody sets, and one that nobody can."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 12, tzinfo=UTC)
        self.seconds = 1000.0

    def wall(self) -> str:
        return self.now.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def monotonic(self) -> float:
        return self.seconds

    def pass_(self, seconds: float) -> None:
        """Time goes by."""
        self.now += timedelta(seconds=seconds)
        self.seconds += seconds

    def set(self, hours: float) -> None:
        """Somebody sets the wall clock."""
        self.now += timedelta(hours=hours)


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture(params=["memory", "duckdb"])
async def journal(
    request: pytest.FixtureRequest, clocks: Clocks, path: Path
) -> AsyncIterator[MemoryJournal | DuckDBJournal]:
    """Each of the two journals in turn."""
    times = {"clock": clocks.wall, "monotonic": clocks.monotonic}
    journal = MemoryJournal(**times) if request.param == "memory" else await DuckDBJournal.open(path, **times)
    yield journal
    await journal.aclose()


def test_a_runs_clock_starts_with_the_walls_and_then_only_counts(clocks: Clocks) -> None:
    clock = RunClock(clock=clocks.wall, monotonic=clocks.monotonic)
    stamps = [clock()]
    for hours in (-3, 5, 0):
        clocks.set(hours)
        clocks.pass_(1.5)
        stamps.append(clock())
    assert stamps == [f"2026-11-22T12:00:0{second}Z" for second in ("0.000", "1.500", "3.000", "4.500")]


def test_a_runs_clock_never_goes_back_before_what_it_has_said_in_an_earlier_life(clocks: Clocks) -> None:
    clocks.set(-3)
    clock = RunClock("2026-11-22T12:00:01.250Z", clock=clocks.wall, monotonic=clocks.monotonic)
    clocks.pass_(0.5)
    assert clock() == "2026-11-22T12:00:01.750Z"
    assert RunClock("", clock=clocks.wall, monotonic=clocks.monotonic)() == "2026-11-22T09:00:00.500Z"


@pytest.mark.parametrize("hours", [-7.0, 7.0])
async def test_a_run_takes_as_long_as_it_takes(
    journal: MemoryJournal | DuckDBJournal, clocks: Clocks, hours: float
) -> None:
    journal.put("r", [started()])
    clocks.pass_(1)
    journal.put("r", [planned(["a"])])
    journal.put("r", [TaskStart(task_id="a", attempt_id="x", model=MODEL)])
    clocks.set(hours)
    clocks.pass_(2)
    assert run_result(journal.state("r"), journal.now("r")).stats.seconds == 3.0
    journal.put("r", [answered("a", "text")])
    clocks.set(-2 * hours)
    clocks.pass_(4)
    receipt = journal.put("r", [Warned(message="m", code="c")])
    stamps = [parse_event(line).ts for line in await journal.tail("r", 0)]
    await receipt.committed()
    assert stamps == sorted(stamps)
    result = run_result(journal.state("r"), journal.now("r"))
    assert result.tasks[0].seconds == 2.0
    assert result.stats.seconds == 7.0


async def test_runs_are_listed_newest_first_whatever_the_clock_says(
    journal: MemoryJournal | DuckDBJournal, clocks: Clocks
) -> None:
    ids = ["r5", "r1", "r4", "r2", "r3"]  # ids are made of the wall's time too
    for run_id in ids:
        for step in whole_run(run_id):
            receipt = journal.put(run_id, step.events, step.attempts)
        await receipt.committed()
        clocks.set(-2)
    assert [row.run_id for row in await journal.runs()] == ids[::-1]
    page = [row.run_id for row in await journal.runs(limit=2)]
    page += [row.run_id for row in await journal.runs(limit=2, before=page[-1])]
    assert page == ids[:0:-1]
    assert all((row.seconds or 0.0) >= 0.0 for row in await journal.runs())


async def test_a_reopened_journal_takes_its_open_runs_in_the_order_they_came(path: Path, clocks: Clocks) -> None:
    journal = await DuckDBJournal.open(path, clock=clocks.wall)
    for run_id in ("b", "c", "a"):
        await journal.put(run_id, [started()]).committed()
        clocks.set(-1)
    before = {run_id: journal.state(run_id).created_at for run_id in "abc"}
    await journal.aclose()
    clocks.set(-10)
    journal = await DuckDBJournal.open(path, clock=clocks.wall)
    assert list(journal.open_runs()) == ["b", "c", "a"]
    for run_id, created_at in before.items():
        event = journal.put(run_id, [PlanProgress(phase="started")]).events[0]
        assert event.ts >= created_at
        assert 0.0 <= run_result(journal.state(run_id), journal.now(run_id)).stats.seconds < 60.0
    await journal.aclose()


async def test_pruning_with_a_clock_that_was_set_deletes_nothing_young_nor_unfinished(
    journal: MemoryJournal | DuckDBJournal, clocks: Clocks
) -> None:
    for run_id in ("early", "late"):
        for step in whole_run(run_id):
            receipt = journal.put(run_id, step.events, step.attempts)
        await receipt.committed()
        clocks.pass_(2 * 24 * HOUR_S)
    await journal.put("open", [started()]).committed()
    clocks.set(-100)
    assert (await journal.prune(0)).runs == 0, "all that ended did so in the future"
    clocks.set(100)
    assert (await journal.prune(3 * 24 * HOUR_S)).runs == 1
    clocks.set(1e5)
    await journal.prune(0)
    assert {row.run_id for row in await journal.runs()} == {"open"}


class Endless:
    """A runner pool whose tasks never end by themselves."""

    def start_task(self, job: TaskJob, deps: Sequence[Ref | Outcome]) -> Ref:
        return asyncio.ensure_future(asyncio.Event().wait())


def conductor(journal: MemoryJournal, request: RunRequest) -> Conductor:
    settings = load_settings(env={}, cwd=Path("/"))
    return Conductor(
        "r",
        request,
        host=LoneHost(),
        journal=journal,
        runner_pool=Endless(),  # type: ignore[arg-type]
        models=ConfiguredModels(Registry.load(settings), settings, ("xai",)),
    )


@pytest.mark.parametrize("hours", [-5.0, 5.0])
async def test_a_deadline_counts_its_own_seconds_while_the_run_is_going(hours: float) -> None:
    """Set forward, the wall clock does not make it fire; set back, it does not give it more time."""
    clocks = Clocks()
    journal = MemoryJournal(clock=clocks.wall)
    request = RunRequest(plan=wide(1), max_tasks=20, deadline_s=0.6)
    journal.put("r", [RunStart(request=request.model_dump(mode="json"))])
    clocks.set(hours)  # between its acceptance and its turn
    run = asyncio.create_task(conductor(journal, request).conduct())
    await asyncio.sleep(0.2)
    clocks.set(hours)
    assert not journal.state("r").terminal
    await asyncio.wait_for(run, 10)
    state = journal.state("r")
    assert (state.status, state.error and state.error.type) == ("cancelled", "deadline")
    assert 0.55 < run_result(state).stats.seconds < 5


async def test_across_a_restart_a_deadline_counts_the_walls_time(path: Path) -> None:
    clocks = Clocks()
    times = {"clock": clocks.wall, "monotonic": clocks.monotonic}
    journal = await DuckDBJournal.open(path, **times)
    await journal.put("r", [started()]).committed()
    clocks.pass_(5)
    await journal.aclose()
    clocks.pass_(20)
    clocks.seconds = 3.0  # another process, another beginning
    journal = await DuckDBJournal.open(path, **times)
    request = RunRequest(plan=wide(1), deadline_s=60)
    assert conductor(journal, request)._seconds_left() == 35.0  # type: ignore[arg-type]
    clocks.pass_(1)
    clocks.set(7)
    assert conductor(journal, request)._seconds_left() == 34.0  # type: ignore[arg-type]
    await journal.aclose()
