"""Pruning deletes what is old and over, and nothing else."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from ai3ray.domain.events import Final, PlanProgress
from ai3ray.errors import JournalError, UnknownRun
from ai3ray.journal import store
from ai3ray.journal.memory import MemoryJournal
from ai3ray.journal.port import Journal, RunMeta
from ai3ray.journal.pruning import cutoff
from ai3ray.journal.store import DuckDBJournal
from tests.journal.histories import Step, answered, attempt, started, whole_run

DAY_S = 86_400.0
SHOWN = ("runs", "tasks", "attempts", "decisions", "events", "artifacts", "kept.puts")
TABLES = (
    *SHOWN,
    *(f"kept.{name}" for name in ("history", "news", "run_rows", "task_rows", "attempt_rows", "put_rows")),
)


class Clock:
    """The wall clock, moved by hand."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, tzinfo=UTC)

    def __call__(self) -> str:
        return self.now.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def days_pass(self, days: float) -> None:
        self.now += timedelta(days=days)


def standing() -> float:
    """A clock that shows every run as over in no time."""
    return 0.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def disk(path: Path, clock: Clock) -> AsyncIterator[DuckDBJournal]:
    journal = await DuckDBJournal.open(path, clock=clock, monotonic=standing)
    yield journal
    await journal.aclose()


@pytest.fixture(params=["memory", "duckdb"])
def journal(request: pytest.FixtureRequest, clock: Clock) -> Journal:
    """Each of the two journals in turn."""
    return MemoryJournal(clock, standing) if request.param == "memory" else request.getfixturevalue("disk")


async def put_run(journal: Journal, run_id: str, meta: RunMeta | None = None) -> None:
    for number, step in enumerate(whole_run(run_id)):
        receipt = journal.put(run_id, step.events, step.attempts, key=str(number), meta=None if number else meta)
    await receipt.committed()


async def ids(journal: Journal) -> set[str]:
    return {row.run_id for row in await journal.runs()}


async def test_only_what_ended_long_enough_ago_is_deleted(journal: Journal, clock: Clock) -> None:
    await put_run(journal, "old")
    await journal.put("open", [started()]).committed()
    clock.days_pass(20)
    await put_run(journal, "young")
    clock.days_pass(15)
    report = await journal.prune(30 * DAY_S)
    assert (report.runs, report.dry_run) == (1, False)
    assert await ids(journal) == {"open", "young"}
    assert list(journal.open_runs()) == ["open"]
    for lost in (journal.state, journal.meta):
        with pytest.raises(UnknownRun):
            lost("old")
    with pytest.raises(UnknownRun):
        await journal.tail("old", 0)


async def test_a_run_that_has_its_answer_but_not_its_stats_is_unfinished(journal: Journal, clock: Clock) -> None:
    for step in list(whole_run("r"))[:-1]:
        journal.put("r", step.events, step.attempts)
    await journal.put("r", [Final(status="succeeded", output="x")]).committed()
    clock.days_pass(400)
    assert (await journal.prune(0)).runs == 0
    assert await ids(journal) == {"r"}


async def test_a_dry_run_counts_and_deletes_nothing(journal: Journal, clock: Clock) -> None:
    await put_run(journal, "r")
    clock.days_pass(2)
    dry = await journal.prune(DAY_S, dry_run=True)
    assert dry.dry_run
    assert (dry.runs, dry.events) == (1, journal.state("r").seq)
    written = sum(len(line.encode()) for line in await journal.tail("r", 0))
    assert dry.bytes == written + len("answer of a ü\nanswer of b ü\n".encode())
    assert (await journal.prune(DAY_S)).model_copy(update={"dry_run": True}) == dry
    assert (await journal.prune(DAY_S)).runs == 0


async def test_a_deleted_runs_idempotency_key_stands_for_nothing(journal: Journal) -> None:
    await put_run(journal, "r", RunMeta(request_key="k", request_hash="h"))
    await put_run(journal, "s", RunMeta(request_key="other", request_hash="h"))
    await journal.put("open", [started()]).committed()
    await journal.prune(0)
    assert journal.find_by_key("k") is None
    await put_run(journal, "again", RunMeta(request_key="k", request_hash="h2"))
    assert journal.find_by_key("k") == ("again", "h2")


async def test_a_call_that_ends_after_its_run_was_deleted_is_refused(journal: Journal) -> None:
    await put_run(journal, "r")
    await journal.prune(0)
    with pytest.raises(UnknownRun):
        journal.put("r", attempts=[attempt("r", "a", "late")])


async def test_every_table_forgets_the_run_and_keeps_the_others(disk: DuckDBJournal, path: Path) -> None:
    await put_run(disk, "old")
    counts = {table: (await disk.query(f"SELECT count(*) FROM {table}")).rows for table in SHOWN}
    await put_run(disk, "kept")
    kept = disk.state("kept")
    disk._sequencer.reserve_for_deletion(["kept"])
    await disk.prune(0)
    disk._sequencer.release(["kept"])
    for table in TABLES:
        assert (await disk.query(f"SELECT count(*) FROM {table} WHERE run_id = 'old'")).rows == ((0,),), table
    for table in SHOWN:
        assert (await disk.query(f"SELECT count(*) FROM {table}")).rows == counts[table], table
    await disk.aclose()
    again = await DuckDBJournal.open(path)
    assert again.state("kept") == kept
    with pytest.raises(UnknownRun):
        again.state("old")
    await again.aclose()


async def test_a_run_with_a_call_on_its_way_to_the_disk_is_left_alone(disk: DuckDBJournal) -> None:
    await put_run(disk, "r")
    late = disk.put("r", attempts=[attempt("r", "a", "late")])
    assert disk._sequencer.reserve_for_deletion(["r"]) == frozenset()
    await late.committed()
    assert (await disk.prune(0)).runs == 1


async def test_runs_go_on_while_others_are_deleted(disk: DuckDBJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_DELETED_AT_ONCE", 2)
    for number in range(9):
        await put_run(disk, f"old{number}")
    pruning = asyncio.create_task(disk.prune(0))
    for step in whole_run("new"):
        await disk.put("new", step.events, step.attempts).committed()
    assert (await pruning).runs >= 9
    await asyncio.gather(*(put_run(disk, f"r{n}") for n in range(3)), disk.prune(DAY_S))
    assert {f"r{n}" for n in range(3)} <= await ids(disk)


async def test_a_deletion_goes_on_when_whoever_asked_leaves(disk: DuckDBJournal, path: Path) -> None:
    for number in range(3):
        await put_run(disk, f"r{number}")
    asking = asyncio.create_task(disk.prune(0))
    while not disk._deletions and not asking.done():
        await asyncio.sleep(0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await disk.aclose()
    again = await DuckDBJournal.open(path)
    assert await ids(again) == set()
    await again.aclose()


async def test_a_deletion_that_fails_leaves_the_runs_and_the_journal_as_they_were(
    disk: DuckDBJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put_run(disk, "r", RunMeta(request_key="k"))

    def fail(run_ids: object) -> None:
        raise duckdb.IOException("no space left on device")

    monkeypatch.setattr(disk._commits._writer, "delete", fail)
    with pytest.raises(JournalError, match="no space left"):
        await disk.prune(0)
    assert disk.find_by_key("k") == ("r", None)
    assert disk.state("r").complete
    await put_run(disk, "s")


async def test_the_space_of_what_was_deleted_is_free_at_once(disk: DuckDBJournal) -> None:
    """A checkpoint alone would leave deleted rows where they are."""
    noise = random.Random(1)  # what repeats itself would be compressed away
    for run_id in (f"r{number}" for number in range(8)):
        steps = list(whole_run(run_id))
        steps[4] = Step((answered("a", noise.randbytes(400_000).hex()),))
        for step in steps:
            receipt = disk.put(run_id, step.events, step.attempts)
        await receipt.committed()
    await put_run(disk, "kept")
    await disk._commits.checkpoint()
    before = used_blocks(disk)
    disk._sequencer.reserve_for_deletion(["kept"])
    assert (await disk.prune(0)).runs == 8
    assert used_blocks(disk) < before / 2


def used_blocks(journal: DuckDBJournal) -> int:
    return int(journal._database.cursor().execute("SELECT used_blocks FROM pragma_database_size()").fetchall()[0][0])


async def test_an_age_beyond_time_itself_prunes_nothing(journal: Journal) -> None:
    await put_run(journal, "r")
    assert (await journal.prune(1e15)).runs == 0
    assert cutoff("2026-11-22T00:00:00.000Z", 1e15) == datetime.min  # noqa: DTZ901
    await journal.put("s", [started(), PlanProgress(phase="started")]).committed()
