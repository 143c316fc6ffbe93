"""Speed of the DuckDB journal: events per second flat out, and time to durable at a steady 500 puts per second.

Run it by hand: python tests/bench/bench_journal.py [RUNS] [TASKS]
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ai3ray.journal.duckdb_store import DuckDBJournal
from tests.journal.histories import Step, whole_run


async def flat_out(path: Path, runs: int, tasks: int) -> None:
    """Every run is put as fast as it goes, interleaved with the others; at most 500 puts in flight."""
    journal = await DuckDBJournal.open(path)
    before = time.perf_counter()
    events = attempts = 0
    waiting = []
    for run_id, step in _interleaved(runs, tasks):
        waiting.append(journal.put(run_id, step.events, step.attempts, key=f"k{events}.{attempts}"))
        events += len(step.events)
        attempts += len(step.attempts)
        if len(waiting) == 500:
            await waiting[250].committed()
            del waiting[:250]
    await waiting[-1].committed()
    seconds = time.perf_counter() - before
    print(f"flat out: {events} events, {attempts} attempt entries: {events / seconds:,.0f} events/s", end=" ")
    print(f"({(events + attempts) / seconds:,.0f} entries/s)")
    await journal.aclose()


async def steady(path: Path, rate: int, seconds: float) -> None:
    """Time from put to durable while puts come evenly."""
    journal = await DuckDBJournal.open(path)
    acks: list[float] = []

    async def put(run_id: str, step: Step) -> None:
        before = time.perf_counter()
        await journal.put(run_id, step.events, step.attempts).committed()
        acks.append(time.perf_counter() - before)

    begin = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number, (run_id, step) in enumerate(_interleaved(50, 20)):
            due = begin + number / rate
            if due > begin + seconds:
                break
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(put(run_id, step))
    acks.sort()
    p50, p99 = acks[len(acks) // 2], acks[int(len(acks) * 0.99)]
    print(f"steady {rate}/s: {len(acks)} puts, ack p50 {p50 * 1e3:.1f} ms, p99 {p99 * 1e3:.1f} ms")
    await journal.aclose()


async def alone(path: Path) -> None:
    """Time from put to durable when nothing else goes on."""
    journal = await DuckDBJournal.open(path)
    acks = []
    for run_id, step in _interleaved(3, 20):
        before = time.perf_counter()
        await journal.put(run_id, step.events, step.attempts).committed()
        acks.append(time.perf_counter() - before)
    acks.sort()
    print(f"one at a time: ack p50 {acks[len(acks) // 2] * 1e3:.1f} ms, p99 {acks[int(len(acks) * 0.99)] * 1e3:.1f} ms")
    await journal.aclose()


def _interleaved(runs: int, tasks: int) -> Iterator[tuple[str, Step]]:
    ids = [f"t{n}" for n in range(tasks)]
    histories = {f"run_{n}": whole_run(f"run_{n}", ids) for n in range(runs)}
    while histories:
        for run_id, history in list(histories.items()):
            step = next(history, None)
            if step is None:
                del histories[run_id]
            else:
                yield run_id, step


async def main(runs: int = 100, tasks: int = 20) -> None:
    """All three, each in a fresh folder."""
    with tempfile.TemporaryDirectory() as folder:
        await flat_out(Path(folder) / "flat" / "journal.duckdb", runs, tasks)
        await steady(Path(folder) / "steady" / "journal.duckdb", 500, 5.0)
        await alone(Path(folder) / "alone" / "journal.duckdb")


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
