"""Strangers' SQL: real processes on real copies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil
import pytest

from ai3ray.errors import EngineError, JournalError, RequestError, Throttled
from ai3ray.journal.port import RunMeta
from ai3ray.journal.store import DuckDBJournal
from ai3ray.sql.isolated.query_process import SqlLimits
from tests.journal.histories import ENDED, whole_run

COUNT = "SELECT count(*) AS runs FROM runs"
SLOW = "SELECT count(*) FROM runs, range(20000) a, range(20000) b WHERE a.range + b.range >= 0"
ENDLESS = "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE hash(a.range, b.range) = 7"
ALWAYS_NEW = SqlLimits(copy_age_s=0.0, cpu_s=60, wall_s=60.0, max_wait_s=60)


async def journal_with(path: Path, runs: Iterable[str], limits: SqlLimits = ALWAYS_NEW) -> DuckDBJournal:
    journal = await DuckDBJournal.open(path, sql_limits=limits)
    await add(journal, runs)
    return journal


async def add(journal: DuckDBJournal, runs: Iterable[str], owner: str = "") -> None:
    for run_id in runs:
        for step in whole_run(run_id):
            receipt = journal.put(run_id, step.events, step.attempts, meta=RunMeta(owner=owner))
        await receipt.committed()


def copies(path: Path) -> list[Path]:
    return sorted((path.parent / "sql").glob("*/journal.duckdb"))


def children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "query_worker" in " ".join(child.cmdline())]


async def child_at_work() -> psutil.Process:
    """The child once it computes: it has used more of the processor than starting takes."""
    while True:
        for child in children():
            if child.cpu_times().user > 0.4:
                return child
        await asyncio.sleep(0.05)


async def test_an_answer_is_the_console_s_with_the_time_of_the_copy(path: Path) -> None:
    """The same JSON values, whichever way they come."""
    sql = """
        SELECT TIMESTAMP '2026-11-22 10:00:00.5' AS t, 1.25::DECIMAL(9, 2) AS m, 'nan'::DOUBLE AS n, 'ü' AS u,
               [1, NULL] AS l, {'a': DATE '2026-01-01'} AS s, '{"k": [1, "ü"]}'::JSON AS j, NULL::JSON AS e,
               'ab'::BLOB AS b, TIMESTAMPTZ '2026-11-22 10:00:00+02' AS z, 7::HUGEINT AS h, '9'::BIGNUM AS x
    """
    journal = await DuckDBJournal.open(path, clock=lambda: "2026-11-22T10:00:00.000Z")
    isolated = await journal.query_isolated(sql)
    assert isolated.as_of == "2026-11-22T10:00:00.000Z"
    assert isolated.model_copy(update={"as_of": None}) == await journal.query(sql)
    await journal.aclose()


async def test_owners_see_their_runs_and_the_admin_all(path: Path) -> None:
    journal = await journal_with(path, ["mine"])
    await add(journal, ["a1", "a2"], "alice")
    await add(journal, ["b1"], "bob")
    seen = "SELECT run_id FROM runs UNION SELECT run_id FROM run_summary UNION SELECT run_id FROM events ORDER BY 1"
    for owner, runs in ((None, ["a1", "a2", "b1", "mine"]), ("alice", ["a1", "a2"]), ("eve", [])):
        answer = await journal.query_isolated(seen, owner=owner)
        assert [run_id for (run_id,) in answer.rows] == runs
    await journal.aclose()


async def test_a_young_copy_is_asked_again_and_an_old_one_brought_up_to_date(path: Path) -> None:
    journal = await journal_with(path, ["r1"], SqlLimits(copy_age_s=60.0))
    assert (await journal.query_isolated(COUNT)).rows == ((1,),)
    await add(journal, ["r2"])
    assert (await journal.query_isolated(COUNT)).rows == ((1,),)
    await journal.aclose()

    journal = await journal_with(path, ["r3"])
    for n in (3, 4):
        assert (await journal.query_isolated(COUNT)).rows == ((n,),)
        await add(journal, [f"r{n + 1}"])
    assert len(copies(path)) == 1  # nobody read it, so it was written to in place
    await journal.aclose()


async def test_pruned_runs_leave_the_copy(path: Path) -> None:
    journal = await journal_with(path, ["r1", "r2"])
    assert (await journal.query_isolated(COUNT)).rows == ((2,),)
    before = copies(path)
    await journal.prune(0)
    assert (await journal.query_isolated("SELECT count(*) FROM events")).rows == ((0,),)
    assert len(copies(path)) == 1
    assert copies(path) != before  # not even their bytes stay
    await journal.aclose()


async def test_a_query_keeps_its_copy_while_a_newer_one_is_written(path: Path) -> None:
    journal = await journal_with(path, ["r1"])
    slow = asyncio.create_task(journal.query_isolated(SLOW))
    await child_at_work()
    await add(journal, ["r2"])
    assert (await journal.query_isolated(COUNT)).rows == ((2,),)
    assert len(copies(path)) == 2
    assert (await slow).rows == ((20000 * 20000,),)
    await add(journal, ["r3"])
    assert (await journal.query_isolated(COUNT)).rows == ((3,),)
    await journal.aclose()


async def test_rows_and_bytes_beyond_the_caps_are_cut_and_said_so(path: Path) -> None:
    journal = await journal_with(path, [], SqlLimits(answer_bytes=100_000))
    few = await journal.query_isolated("SELECT * FROM range(1000000000)", max_rows=3)
    assert (few.rows, few.truncated) == (((0,), (1,), (2,)), True)
    wide = await journal.query_isolated("SELECT repeat('ü', 10000) FROM range(100)")
    assert (len(wide.rows), wide.truncated) == (4, True)
    await journal.aclose()


async def test_a_damaged_copy_is_made_anew(path: Path) -> None:
    journal = await journal_with(path, ["r1"], SqlLimits(copy_age_s=60.0))
    assert (await journal.query_isolated(COUNT)).rows == ((1,),)
    damages: list[Callable[[Path], object]] = [
        lambda copy: copy.unlink(),
        lambda copy: copy.write_bytes(b""),
        lambda copy: copy.write_bytes(b"x" * copy.stat().st_size),
        lambda copy: copy.write_bytes(copy.read_bytes()[: 3 * 4096]),
    ]
    for damage in damages:
        [copy] = copies(path)
        damage(copy)
        assert (await journal.query_isolated(COUNT)).rows == ((1,),)
        assert copies(path) != [copy]
    await journal.aclose()


async def test_a_damaged_copy_is_not_built_upon(path: Path) -> None:
    journal = await journal_with(path, ["r1"])
    assert (await journal.query_isolated(COUNT)).rows == ((1,),)
    [copy] = copies(path)
    copy.write_bytes(b"x" * copy.stat().st_size)
    await add(journal, ["r2"])
    assert (await journal.query_isolated(COUNT)).rows == ((2,),)
    await journal.aclose()


async def test_copies_are_gone_after_closing_and_those_of_a_crash_after_opening(path: Path) -> None:
    journal = await journal_with(path, ["r1"])
    await journal.query_isolated(COUNT)
    assert copies(path)
    await journal.aclose()
    assert not (path.parent / "sql").exists()
    left = path.parent / "sql" / "0123" / "journal.duckdb"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"left by a crash")
    journal = await DuckDBJournal.open(path)
    assert not left.exists()
    await journal.aclose()


async def test_an_idle_copy_is_deleted_and_made_again_when_wanted(path: Path) -> None:
    journal = await journal_with(path, ["r1"], SqlLimits(copy_idle_s=0.2))
    assert (await journal.query_isolated(COUNT)).rows == ((1,),)
    async with asyncio.timeout(10):
        while copies(path):
            await asyncio.sleep(0.05)
    await add(journal, ["r2"])
    assert (await journal.query_isolated(COUNT)).rows == ((2,),)
    await journal.aclose()


async def test_no_more_owners_than_few_have_a_copy(path: Path) -> None:
    journal = await journal_with(path, ["r1"], SqlLimits(copies=2))
    for owner in ("a", "b", "c"):
        assert (await journal.query_isolated(COUNT, owner=owner)).rows == ((0,),)
    async with asyncio.timeout(10):
        while len(copies(path)) > 2:
            await asyncio.sleep(0.05)
    await journal.aclose()


async def test_a_third_query_waits_and_then_is_told_to_come_again(path: Path) -> None:
    journal = await journal_with(path, [], SqlLimits(max_wait_s=0.5))
    two = [asyncio.create_task(journal.query_isolated(ENDLESS)) for _ in range(2)]
    while len(children()) < 2:
        await asyncio.sleep(0.02)
    with pytest.raises(Throttled) as caught:
        await journal.query_isolated(COUNT)
    assert caught.value.retry_after_s > 0
    for task in two:
        task.cancel()
    await asyncio.wait(two)
    assert (await journal.query_isolated(COUNT)).rows == ((0,),)
    await journal.aclose()


async def test_a_query_that_takes_too_long_is_killed(path: Path) -> None:
    journal = await journal_with(path, [], SqlLimits(wall_s=1.0))
    with pytest.raises(RequestError, match="longer than 1 s"):
        await journal.query_isolated(ENDLESS)
    assert not children()
    await journal.aclose()


async def test_a_child_that_is_killed_costs_its_own_query_only(path: Path) -> None:
    journal = await journal_with(path, [])
    asked = asyncio.create_task(journal.query_isolated(ENDLESS))
    (await child_at_work()).kill()
    with pytest.raises(RequestError, match="exceeded the limits"):
        await asked
    assert (await journal.query_isolated(COUNT)).rows == ((0,),)
    await journal.aclose()


async def test_closing_stops_what_runs(path: Path) -> None:
    journal = await journal_with(path, [])
    asked = asyncio.create_task(journal.query_isolated(ENDLESS))
    await child_at_work()
    await journal.aclose()
    with pytest.raises(JournalError, match="closed"):
        await asked
    assert not children()
    with pytest.raises(JournalError, match="closed"):
        await journal.query_isolated(COUNT)


async def test_a_disk_that_takes_no_copy_costs_strangers_their_sql_and_nobody_else(path: Path) -> None:
    journal = await journal_with(path, ["r1"])
    (path.parent / "sql").write_text("no folder can be made here")
    with pytest.raises(EngineError, match="cannot be written") as caught:
        await journal.query_isolated(COUNT)
    assert str(path.parent) not in str(caught.value)
    assert (await journal.query(COUNT)).rows == ((1,),)
    (path.parent / "sql").unlink()
    assert (await journal.query_isolated(COUNT)).rows == ((1,),)
    await journal.aclose()


async def test_a_child_has_no_keys_and_little_power_and_ends_with_its_reader(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-canary")
    journal = await journal_with(path, [])
    asked = asyncio.create_task(journal.query_isolated(ENDLESS))
    child = await child_at_work()
    assert "canary" not in str(child.environ())
    assert child.nice() >= 10
    assert child.rlimit(psutil.RLIMIT_CORE) == (0, 0)
    assert child.rlimit(psutil.RLIMIT_FSIZE) == (0, 0)
    assert child.rlimit(psutil.RLIMIT_AS) == (1 << 30, 1 << 30)
    asked.cancel()
    await asyncio.wait({asked})
    assert asked.cancelled()
    assert not children()
    await journal.aclose()


async def test_many_changes_and_questions_at_once_agree(path: Path) -> None:
    """Whoever asks sees at least what was acknowledged before, and whole puts only."""
    journal = await journal_with(path, [], ALWAYS_NEW.model_copy(update={"at_a_time": 3}))
    done = 0

    async def write() -> None:
        nonlocal done
        for n in range(20):
            await add(journal, [f"r{n}"])
            done = n + 1

    async def ask() -> None:
        known = done
        sql = f"SELECT count(*), count(*) FILTER (type = '{ENDED.type}'), count(DISTINCT run_id) FROM events"
        (events, ended, runs) = (await journal.query_isolated(sql)).rows[0]
        assert ended >= known
        assert events >= 14 * ended
        assert runs - ended in (0, 1)

    writing = asyncio.create_task(write())
    for _ in range(2):
        await asyncio.gather(*(ask() for _ in range(3)))
    await writing
    await ask()
    assert done == 20
    await journal.aclose()
