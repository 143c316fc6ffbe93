"""How much room the journal takes, and how long its views take when it is large."""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path
from random import Random

import duckdb

from ai3ray.journal.connection import open_database
from ai3ray.journal.store import DuckDBJournal
from tests.bench.journal_runs import KINDS, MODELS, interleaved

VIEWS = (
    "model_stats",
    "model_kind_stats",
    "provider_stats",
    "run_summary",
    "cost_by_day",
    "verifier_stats",
)
TASKS = 20

# A run has a planner's call, an assembler's, and for each task its own and a judge's.
FILL = """
CREATE TEMP TABLE models AS SELECT unnest($models) AS model, generate_subscripts($models, 1) - 1 AS n;

INSERT INTO kept.attempt_rows
SELECT 'run_' || lpad((i // $calls)::VARCHAR, 22, '0'),
       CASE WHEN i % $calls > 1 THEN 'part' || ((i % $calls) // 2 - 1) END,
       'att_' || md5(i::VARCHAR)[:22],
       CASE i % $calls WHEN 0 THEN 'plan' WHEN 1 THEN 'assemble' ELSE ['task', 'judge'][1 + i % 2] END,
       1, split_part(model, '/', 1), model,
       CASE WHEN hash(i, 1) % 50 = 0 THEN 'failed' ELSE 'succeeded' END,
       CASE WHEN hash(i, 1) % 50 = 0 THEN 'timeout' END,
       'req_' || md5((i + $count)::VARCHAR)[:24],
       hash(i, 2) % 3000, 0, hash(i, 3) % 1500, false,
       CASE WHEN hash(i, 4) % 100 > 0 THEN (hash(i, 5) % 100000) / 1e6 END,
       TIMESTAMP '2026-01-01' + to_milliseconds(i * 20000),
       (hash(i, 6) % 200000) / 1e5, (hash(i, 7) % 900000) / 1e5, hash(i, 8) % 1000 = 0
FROM range($count) AS calls(i) JOIN models ON n = hash(i, 9) % len($models);

INSERT INTO kept.task_rows
SELECT 'run_' || lpad((i // $tasks)::VARCHAR, 22, '0'), 'part' || i % $tasks, 'Title',
       $kinds[(1 + hash(i, 1) % len($kinds))::BIGINT],
       CASE WHEN hash(i, 2) % 30 = 0 THEN 'failed' ELSE 'succeeded' END, split_part(model, '/', 1), model, 1, '[]',
       0.01, (hash(i, 3) % 9000) / 1e3, '{"passed": true}', 'sha256:' || md5(i::VARCHAR),
       TIMESTAMP '2026-01-01' + to_milliseconds(i * 42000), TIMESTAMP '2026-01-01' + to_milliseconds(i * 42000)
FROM range($count * $tasks // $calls) AS tasks(i) JOIN models ON n = hash(i, 4) % len($models);

INSERT INTO kept.run_rows
SELECT 'run_' || lpad(i::VARCHAR, 22, '0'), 'succeeded', 'Write a blog post', '', 'interactive', 'concat',
       TIMESTAMP '2026-01-01' + to_milliseconds(i * 840000),
       TIMESTAMP '2026-01-01' + to_milliseconds(i * 840000 + 9000),
       9.0, 0.1, 60000, 30000, '[]', NULL, NULL, 1, true
FROM range($count // $calls) AS runs(i);

INSERT INTO kept.history
SELECT 'run_' || lpad((i // ($tasks * 6))::VARCHAR, 22, '0'), 1 + i % ($tasks * 6), TIMESTAMP '2026-01-01',
       CASE i % 6 WHEN 5 THEN 'task_verified' ELSE 'decision' END, 'part' || (i // 6) % $tasks, '{}',
       CASE i % 6 WHEN 5 THEN to_json({
           'model': model, 'kind': $kinds[(1 + hash(i, 1) % len($kinds))::BIGINT], 'by': model,
           'passed': hash(i, 3) % 9 > 0, 'score': (hash(i, 4) % 100) / 100, 'defects': hash(i, 5) % 3
       }) END
FROM range($count * $tasks * 6 // $calls) AS events(i) JOIN models ON n = hash(i, 2) % len($models);
"""


async def size(path: Path, rng: Random, tasks: int, width: int) -> dict[str, float]:
    """Bytes of the closed file for each task, its answer not counted."""
    journal = await DuckDBJournal.open(path)
    for number, (run_id, step) in enumerate(interleaved(rng, tasks // TASKS, TASKS, width)):
        receipt = journal.put(run_id, step.events, step.attempts, key=f"{number:026}")
        if number % 200 == 0:
            await receipt.committed()
    await receipt.committed()
    await journal.aclose()
    with duckdb.connect(path, read_only=True) as file:
        [(count,)] = file.execute("SELECT count(*) FROM tasks").fetchall()
        [(answers,)] = file.execute("SELECT sum(bytes) FROM artifacts").fetchall()
    taken = path.stat().st_size
    return {"bytes_per_task": (taken - answers) / count, "file_mb": taken / 1e6, "answers_mb": answers / 1e6}


async def views(path: Path, rng: Random, attempts: int) -> dict[str, float]:
    """Milliseconds of each view, with a few runs beside it that are not merged yet: the median of five."""
    await (await DuckDBJournal.open(path)).aclose()
    await asyncio.to_thread(_fill, path, attempts)
    journal = await DuckDBJournal.open(path)
    for run_id, step in interleaved(rng, 20, TASKS, 20, "runs"):
        receipt = journal.put(run_id, step.events, step.attempts)
    await receipt.committed()
    took = {view: await asyncio.to_thread(_time, journal, view) for view in VIEWS}
    await journal.aclose()
    return took


def _fill(path: Path, attempts: int) -> None:
    calls = 2 * TASKS + 2
    values = {"models": MODELS, "kinds": list(KINDS), "count": attempts, "calls": calls, "tasks": TASKS}
    with open_database(path) as connection:
        for statement in FILL.split(";\n"):
            if statement.strip():
                used = {name: value for name, value in values.items() if f"${name}" in statement}
                connection.execute(statement, used)
        [(filled,)] = connection.execute("SELECT count(*) FROM kept.attempt_rows").fetchall()
        assert filled == attempts
        connection.execute("CHECKPOINT")


def _time(journal: DuckDBJournal, view: str) -> float:
    seconds = []
    with journal._database.cursor() as cursor:
        for _ in range(5):
            began = time.perf_counter()
            cursor.execute(f"SELECT * FROM {view}").fetchall()
            seconds.append(time.perf_counter() - began)
    return statistics.median(seconds) * 1e3
