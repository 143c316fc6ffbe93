"""Read-only SQL: what gets through, what does not, how values look."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
from pathlib import Path

import duckdb
import psutil
import pytest

from ai3ray.errors import RequestError
from ai3ray.journal.store import DuckDBJournal
from ai3ray.sql.guard import single_select
from tests.journal.histories import whole_run

CONTRACT = {
    "runs": "run_id, status, prompt, owner, class, assembly, created_at, finished_at, seconds, cost_usd, "
    "input_tokens, output_tokens",
    "tasks": "run_id, task_id, title, kind, status, provider, model, attempts, depends_on, cost_usd, seconds, "
    "verdict, artifact, started_at, finished_at",
    "attempts": "run_id, task_id, attempt_id, role, n, provider, model, status, error_type, request_id, "
    "input_tokens, cached_tokens, output_tokens, usage_estimated, cost_usd, started_at, first_token_s, seconds, "
    "maybe_paid",
    "decisions": "run_id, task_id, attempt_id, model, candidates",
    "events": "run_id, seq, ts, type, task_id, body",
    "artifacts": "artifact, run_id, task_id, media_type, bytes, text",
    "model_stats": "provider, model, calls, successes, failures, success_rate, p50_s, p95_s, first_token_p50_s, "
    "input_tokens, output_tokens, cost_usd, cost_per_1k_tokens, repairs",
    "provider_stats": "provider, calls, successes, failures, success_rate, p50_s, p95_s, cost_usd",
    "run_summary": "run_id, status, tasks, tasks_succeeded, calls, repairs, seconds, cost_usd, cost_complete",
    "cost_by_day": "day, runs, calls, input_tokens, output_tokens, cost_usd",
    "verifier_stats": "verifier, checks, passed, failed, pass_rate, mean_score, defects, calls, cost_usd",
}


@pytest.mark.parametrize("table", CONTRACT)
async def test_every_promised_column_is_there(disk: DuckDBJournal, table: str) -> None:
    answer = await disk.query(f"SELECT {CONTRACT[table]} FROM {table}")
    assert ", ".join(answer.columns) == CONTRACT[table]


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO runs (run_id) VALUES ('x')",
        "DELETE FROM events",
        "UPDATE runs SET status = 'failed'",
        "DROP TABLE runs",
        "CREATE TEMP TABLE runs AS SELECT 1",
        "CREATE TEMP VIEW runs AS SELECT 1",
        "COPY runs TO '/tmp/out.csv'",
        "ATTACH '/tmp/other.duckdb'",
        "INSTALL httpfs",
        "SET threads = 1",
        "PRAGMA database_list",
        "CHECKPOINT",
        "CALL pragma_version()",
        "BEGIN; DELETE FROM events; COMMIT",
        "SELECT 1; DELETE FROM events",
        "SELECT 1; SELECT 2",
        "EXPLAIN ANALYZE DELETE FROM events",
        "EXPLAIN (ANALYZE, FORMAT json) DELETE FROM events",
        "EXPLAIN ANALYZE WITH gone AS (DELETE FROM events RETURNING *) SELECT * FROM gone",
        "WITH gone AS (DELETE FROM events RETURNING *) SELECT * FROM gone",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM nowhere",
        "SELECT 1/",
        "",
        "-- nothing",
    ],
)
async def test_whatever_is_not_a_select_of_the_journal_is_refused_in_one_line(disk: DuckDBJournal, sql: str) -> None:
    for step in whole_run("r"):
        receipt = disk.put("r", step.events, step.attempts)
    await receipt.committed()
    with pytest.raises(RequestError) as caught:
        await disk.query(sql)
    assert caught.value.param == "sql"
    assert len(str(caught.value).splitlines()) == 1
    assert (await disk.query("SELECT count(*) FROM events")).rows == ((disk.state("r").seq,),)
    assert (await disk.query("SELECT status FROM runs")).rows == (("succeeded",),)


@pytest.mark.parametrize(
    "sql",
    [
        "select 1",
        "SELECT 1;",
        "-- why\nSELECT 1 -- so",
        "/* a; b */ SELECT ';'",
        "FROM runs",
        "VALUES (1)",
        "WITH a AS (SELECT 1) SELECT * FROM a",
        "SHOW TABLES",
        "DESCRIBE runs",
        "EXPLAIN SELECT 1",
        "EXPLAIN ANALYZE SELECT * FROM runs",
        "EXPLAIN (FORMAT json) SELECT 1",
    ],
)
async def test_selects_of_every_spelling_are_answered(disk: DuckDBJournal, sql: str) -> None:
    assert single_select(sql)
    assert (await disk.query(sql)).columns


async def test_values_are_what_json_knows(disk: DuckDBJournal) -> None:
    sql = """
        SELECT TIMESTAMP '2026-11-22 10:00:00.5' AS t, DATE '2026-11-22' AS d, 1.25::DECIMAL(9, 2) AS m,
               'nan'::DOUBLE AS n,
               [1, NULL] AS l, {'a': DATE '2026-01-01'} AS s, '{"k": [1, "ü"]}'::JSON AS j, NULL::JSON AS e,
               'ab'::BLOB AS b, INTERVAL 90 SECOND AS i, TIMESTAMPTZ '2026-11-22 10:00:00+02' AS z, 7::HUGEINT AS h
    """
    table = await disk.query(sql)
    assert table.columns == tuple("tdmnlsjebizh")
    assert table.rows == (
        (
            "2026-11-22T10:00:00.500Z",
            "2026-11-22",
            1.25,
            None,
            [1, None],
            {"a": "2026-01-01"},
            {"k": [1, "ü"]},
            None,
            "6162",
            90.0,
            "2026-11-22T08:00:00.000Z",
            7,
        ),
    )
    json.dumps(table.rows, allow_nan=False)


async def test_the_time_zone_of_the_machine_changes_nothing(disk: DuckDBJournal) -> None:
    for step in whole_run("r"):
        receipt = disk.put("r", step.events, step.attempts)
    await receipt.committed()
    recent = await disk.query("SELECT count(*) FROM runs WHERE created_at BETWEEN now() - INTERVAL 1 MINUTE AND now()")
    assert recent.rows == ((1,),)
    assert (await disk.query("SELECT current_setting('TimeZone')")).rows == (("UTC",),)


async def test_rows_beyond_the_cap_are_cut_and_said_so(disk: DuckDBJournal) -> None:
    cut = await disk.query("SELECT * FROM range(1000000000)", max_rows=3)
    assert (cut.rows, cut.truncated) == (((0,), (1,), (2,)), True)
    whole = await disk.query("SELECT * FROM range(3)", max_rows=3)
    assert (len(whole.rows), whole.truncated) == (3, False)


GREEDY = "SELECT count(*) FROM (SELECT DISTINCT repeat('x', 1000) || range FROM range(2000000))"
PATIENT_S = 150.0
"""Queries stand back: where others want the processor, they take many times as long."""
ENDLESS = "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range + b.range = 7"


async def test_a_query_that_takes_too_long_is_stopped_and_the_journal_goes_on(disk: DuckDBJournal) -> None:
    with pytest.raises(RequestError, match=r"0\.1 s"):
        await disk.query(ENDLESS, timeout_s=0.1)
    for step in whole_run("r"):
        receipt = disk.put("r", step.events, step.attempts)
    await receipt.committed()
    assert (await disk.query("SELECT 1")).rows == ((1,),)


@pytest.mark.parametrize("after_s", [0.0, 0.1])
async def test_a_query_whose_reader_leaves_is_stopped(disk: DuckDBJournal, after_s: float) -> None:
    """Both threads of the console are free again, so a third query is answered; also when it had hardly begun."""
    readers = [asyncio.create_task(disk.query(ENDLESS, timeout_s=60)) for _ in range(2)]
    await asyncio.wait(readers, timeout=after_s)
    for reader in readers:
        reader.cancel()
    await asyncio.wait(readers)
    assert (await disk.query("SELECT 1", timeout_s=30)).rows == ((1,),)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT repeat('x', 1000000000)",
        "SELECT repeat('x', 200000000) FROM range(100)",
        "SELECT range(1000000000)",
        "SELECT string_agg(repeat('x', 1000)) FROM range(10000000)",
    ],
)
async def test_a_query_that_would_take_the_machine_s_memory_is_stopped(disk: DuckDBJournal, sql: str) -> None:
    """DuckDB's own limit does not see the values that functions make."""
    before, limits = psutil.Process().memory_info().rss, resource.getrlimit(resource.RLIMIT_DATA)
    with pytest.raises(RequestError, match="needs more memory"):
        await disk.query(sql, timeout_s=60)
    assert psutil.Process().memory_info().rss - before < 1.5e9
    assert resource.getrlimit(resource.RLIMIT_DATA) == limits
    for step in whole_run("r"):
        receipt = disk.put("r", step.events, step.attempts)
    await receipt.committed()


async def test_a_query_that_needs_more_than_its_memory_spills_nothing(
    disk: DuckDBJournal, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is the journal's: a user's sort must not fill it, should it ever get that far."""
    monkeypatch.setattr("ai3ray.sql.memory_watch.QUERY_BYTES", 1 << 40)
    with pytest.raises(RequestError, match="needs more memory"):
        await disk.query(GREEDY, timeout_s=PATIENT_S)
    assert {file.name for file in path.parent.iterdir()} <= {"journal.duckdb", "journal.duckdb.wal"}


async def test_queries_are_stopped_long_before_the_writer_runs_out_of_memory(disk: DuckDBJournal) -> None:
    asking = asyncio.create_task(disk.query(GREEDY, timeout_s=PATIENT_S))
    most = 0
    with disk._database.cursor() as other:
        while not asking.done():
            [(used,)] = other.execute("SELECT sum(memory_usage_bytes) FROM duckdb_memory()").fetchall()
            most = max(most, used)
            await asyncio.sleep(0.02)
    with pytest.raises(RequestError, match="needs more memory"):
        await asking
    assert 500e6 < most < 800e6


async def test_an_answer_larger_than_an_answer_may_be_is_cut(disk: DuckDBJournal) -> None:
    cut = await disk.query("SELECT repeat('x', 16000000) FROM range(10)", timeout_s=PATIENT_S)
    assert (len(cut.rows), cut.truncated) == (3, True)
    with pytest.raises(RequestError, match="larger than the 64 MB"):
        await disk.query("SELECT repeat('x', 70000000)", timeout_s=PATIENT_S)


async def test_values_nested_too_deeply_are_refused(disk: DuckDBJournal) -> None:
    deep = f"'{'[' * 5000}{']' * 5000}'::JSON"
    with pytest.raises(RequestError, match="nested"):
        await disk.query(f"SELECT {deep}")


async def test_a_query_that_holds_the_last_memory_gives_way_to_the_writer(
    disk: DuckDBJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should queries ever get that far. Whoever is stopped for that is told so; nothing of the journal is lost."""
    monkeypatch.setattr("ai3ray.sql.memory_watch.QUERY_BYTES", 1 << 40)
    # Else the process meets its own limit.
    monkeypatch.setattr("ai3ray.sql.memory_watch.HEADROOM._growth_bytes", 4 << 30)
    hungry = """
        SELECT max(text) FROM range(100000000000) AS probe
        JOIN (SELECT range AS k, repeat(md5(range::VARCHAR), 1024) AS text FROM range(15000)) AS held
        ON held.k = probe.range % 10 + 1000000
    """
    asking = asyncio.create_task(disk.query(hungry, timeout_s=PATIENT_S))
    with disk._database.cursor() as other:
        used = [0]
        while not asking.done() and (used[-1] < 500e6 or len({*used[-10:]}) > 1):  # its hash table is not complete
            used += other.execute("SELECT sum(memory_usage_bytes) FROM duckdb_memory()").fetchone()
            await asyncio.sleep(0.1)
        assert not asking.done()
        other.execute("CREATE TEMP TABLE ballast (text VARCHAR)")
        for number in range(20):
            for rows in (4000, 1000, 250, 50):  # what is left, or free again, in ever smaller pieces
                with contextlib.suppress(duckdb.OutOfMemoryException, duckdb.TransactionException):
                    while True:
                        piece = f"SELECT repeat(md5(random()::VARCHAR), 32) FROM range({rows})"
                        other.execute(f"INSERT INTO ballast {piece}")
            for step in whole_run(f"r{number}"):
                receipt = disk.put(f"r{number}", step.events, step.attempts)
            await receipt.committed()
            if asking.done():
                break
    with pytest.raises(RequestError, match="because the journal needs its memory"):
        await asking
    assert (await disk.query("SELECT count(*) FROM runs WHERE complete")).rows == ((number + 1,),)
