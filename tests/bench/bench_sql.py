"""What SQL costs the journal: time to durable while copies are written and while two heavy queries run.

`python -m tests.bench.bench_sql [--events N] [--seconds S] [--seed N] [--check]`, on a synthetic journal of about
N events. Ratios say more than absolute times: the machine may have other work.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Iterator
from pathlib import Path
from typing import Any

import duckdb

from ai3ray.domain.artifact import artifact_id
from ai3ray.domain.events import TaskArtifact
from ai3ray.errors import Ai3Error
from ai3ray.journal.store import DuckDBJournal
from ai3ray.sql.isolated.query_process import SqlLimits
from tests.journal.histories import Step, whole_run

RATE = 100
"""Puts per second: more than a busy head makes."""
TASKS = 20
TARGET_MS, TARGET_TIMES = 50.0, 3.0
"""Time to durable, 99th percentile, while a whole copy is written: so long, or so many times that without."""
OF_A_RUN = """
    SELECT schema_name || '.' || table_name FROM duckdb_columns()
    JOIN duckdb_tables() USING (schema_name, table_name) WHERE column_name = 'run_id'
"""
COUNT = "SELECT count(*) FROM events"
HEAVY = {
    "cross join": "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range + b.range = 7",
    "big sort": "SELECT max(x) FROM (SELECT hash(range) x FROM range(100000000) ORDER BY x OFFSET 99999999)",
    "big groups": "SELECT count(*) FROM (SELECT count(*) FROM events a, range(1000) r GROUP BY a.body || r.range)",
}


async def build(path: Path, events: int, rng: random.Random) -> None:
    """A few runs by way of the journal, and the same under other ids until there are enough."""
    journal = await DuckDBJournal.open(path)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 9))) for _ in range(20_000)]
    made = 0
    for number in range(min(20, max(1, events // 90))):
        for step in whole_run(f"run_{number}", [f"t{n}" for n in range(TASKS)]):
            receipt = journal.put(f"run_{number}", tuple(_with_text(step, rng, words)), step.attempts)
            made += len(step.events)
        await receipt.committed()
    await journal.aclose()
    with duckdb.connect(path) as connection:
        for (table,) in connection.execute(OF_A_RUN).fetchall():
            connection.execute(
                f"INSERT INTO {table} BY NAME SELECT t.* REPLACE (t.run_id || '_' || copies.k AS run_id) "
                f"FROM {table} AS t, range(1, {events // made}) AS copies(k)"
            )


def _with_text(step: Step, rng: random.Random, words: list[str]) -> Iterator[Any]:
    """The step's events with an answer of 250 words that nobody gave before."""
    for event in step.events:
        if isinstance(event, TaskArtifact):
            text = " ".join(rng.choices(words, k=250))
            yield event.model_copy(update={"text": text, "artifact": artifact_id(text)})
        else:
            yield event


class Load:
    """Steady puts, and how long each took to be durable; and how late the loop was."""

    def __init__(self, journal: DuckDBJournal) -> None:
        self._journal = journal
        self._runs = itertools.count()

    async def during(self, work: Awaitable[object] | None, seconds: float) -> dict[str, float]:
        """Put until the work is done, but no longer than so many seconds; milliseconds by name."""
        acks: list[float] = []
        lags: list[float] = []
        working = asyncio.ensure_future(work) if work is not None else None
        begin = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number, (run_id, step) in enumerate(self._steps()):
                due = begin + number / RATE
                if due > begin + seconds or (working is not None and working.done()):
                    break
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                lags.append(time.perf_counter() - due)
                group.create_task(self._put(run_id, step, acks))
        took = time.perf_counter() - begin
        if working is not None and not working.done():
            working.cancel()
        if working is not None:
            await asyncio.gather(working, return_exceptions=True)
        return {
            "seconds": took,
            "p50": _percentile(acks, 0.5),
            "p99": _percentile(acks, 0.99),
            "lag_p99": _percentile(lags, 0.99),
        }

    async def _put(self, run_id: str, step: Step, acks: list[float]) -> None:
        before = time.perf_counter()
        await self._journal.put(run_id, step.events, step.attempts).committed()
        acks.append(time.perf_counter() - before)

    def _steps(self) -> Iterator[tuple[str, Step]]:
        for number in self._runs:
            for step in whole_run(f"zz_{number}", [f"t{n}" for n in range(TASKS)]):
                yield f"zz_{number}", step


def _percentile(values: list[float], share: float) -> float:
    return sorted(values)[int((len(values) - 1) * share)] * 1e3 if values else 0.0


async def twice(ask: Any, query: str) -> None:
    """Two of it at once; that it is stopped is no matter."""
    with contextlib.suppress(Ai3Error):
        await asyncio.gather(ask(query), ask(query))


async def again(ask: Any, query: str) -> None:
    """One after the other, until cancelled."""
    while True:
        await ask(query)


async def timed(work: Awaitable[object]) -> float:
    """Seconds."""
    before = time.perf_counter()
    await work
    return time.perf_counter() - before


async def measure(path: Path, seconds: float) -> dict[str, dict[str, float]]:
    """All rows of the table."""
    journal = await DuckDBJournal.open(path, sql_limits=SqlLimits(copy_age_s=0.0, copy_wait_s=600.0))
    load, table = Load(journal), {}
    table["idle"] = await load.during(None, seconds)
    table["whole copy"] = await load.during(journal.query_isolated(COUNT), 600)
    table["same copy"] = {"seconds": await timed(journal.query_isolated("SELECT 1"))}
    table["changed copies"] = await load.during(again(journal.query_isolated, COUNT), seconds)
    for name, query in HEAVY.items():
        table[f"{name}, console"] = await load.during(twice(journal.query, query), seconds)
        table[f"{name}, isolated"] = await load.during(twice(journal.query_isolated, query), seconds)
    table["idle again"] = await load.during(None, seconds)
    await journal.aclose()
    return table


def main() -> int:
    """Print the table and one line of JSON; exit code 1 with `--check` when the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200_000, help="size of the journal")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of each measurement")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--check", action="store_true", help="fail when copying costs too much")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ai3-") as folder:
        path = Path(folder) / "journal.duckdb"
        asyncio.run(build(path, asked.events, random.Random(asked.seed)))
        print(f"seeded synthetic journal, {asked.events:,} events, {path.stat().st_size / 1e6:.0f} MB")
        table = asyncio.run(measure(path, asked.seconds))
    print(f"{'while':<24} {'seconds':>8} {'ack p50':>9} {'ack p99':>9} {'loop late p99':>14}")
    for name, row in table.items():
        figures = [row.get(key) for key in ("p50", "p99", "lag_p99")]
        shown = [f"{figure:.1f} ms" if figure is not None else "" for figure in figures]
        print(f"{name:<24} {row['seconds']:>8.2f} {shown[0]:>9} {shown[1]:>9} {shown[2]:>14}")
    idle = max(table["idle"]["p99"], table["idle again"]["p99"])
    met = table["whole copy"]["p99"] <= max(TARGET_MS, TARGET_TIMES * idle)
    print(json.dumps({"events": asked.events, "seed": asked.seed, "ms": table, "target_met": met}))
    return 0 if met or not asked.check else 1


if __name__ == "__main__":
    sys.exit(main())
