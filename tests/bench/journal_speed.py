"""How fast the journal takes entries, and how soon they are on disk."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from ai3ray.domain.events import RunStart, Warned
from ai3ray.executor.build import build_core
from ai3ray.executor.core import Core
from ai3ray.executor.core_client import CoreClient
from ai3ray.executor.port import Entries, Granted, Sync, Synced
from ai3ray.journal.store import DuckDBJournal
from ai3ray.settings.load import load_settings
from ai3ray.settings.model import Settings
from tests.bench.journal_runs import interleaved
from tests.bench.local_ray import local_ray
from tests.journal.histories import Step

IN_FLIGHT = 1000
WRITERS = 100


async def flat_out(path: Path, rng: Random, runs: int) -> dict[str, float]:
    """Every run is put as fast as it goes, 16 beside each other; at most 1,000 puts wait for the disk."""
    steps = list(interleaved(rng, runs, 20, 16))
    gc.freeze()  # an engine has no heap of what is still to come
    journal = await DuckDBJournal.open(path)
    events, waiting, began, cpu = 0, [], time.perf_counter(), time.process_time()
    for number, (run_id, step) in enumerate(steps):
        waiting.append(journal.put(run_id, step.events, step.attempts, key=str(number)))
        events += len(step.events)
        if len(waiting) == IN_FLIGHT:
            await waiting[IN_FLIGHT // 2].committed()
            del waiting[: IN_FLIGHT // 2]
    await waiting[-1].committed()
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    await journal.aclose()
    return {
        "events_per_s": events / seconds,
        "puts_per_s": len(steps) / seconds,
        "cpu_us_per_event": cpu / events * 1e6,
    }


async def writers(path: Path, rng: Random, seconds: float) -> dict[str, float]:
    """100 writers, each with runs of its own, each waiting for its put to be on disk before the next."""
    sources = [list(interleaved(rng, 12, 3, 1, f"run_{number}")) for number in range(WRITERS)]
    journal = await DuckDBJournal.open(path)
    acks = [0] * WRITERS
    end = time.perf_counter() + seconds

    async def write(number: int) -> None:
        for run_id, step in sources[number]:
            if time.perf_counter() > end:
                return
            await journal.put(run_id, step.events, step.attempts).committed()
            acks[number] += 1

    began = time.perf_counter()
    await asyncio.gather(*map(write, range(WRITERS)))
    took = time.perf_counter() - began
    await journal.aclose()
    return {"appends_per_s": sum(acks) / took, "appends": sum(acks), "slowest_writer": min(acks)}


async def steady(path: Path, rng: Random, rate: int, seconds: float) -> dict[str, float]:
    """Time from put to durable while puts come evenly."""
    steps = list(interleaved(rng, 2 + int(rate * seconds / 100), 20, 16))[: int(rate * seconds)]
    journal = await DuckDBJournal.open(path)
    acks: list[float] = []

    async def put(run_id: str, step: Step) -> None:
        before = time.perf_counter()
        await journal.put(run_id, step.events, step.attempts).committed()
        acks.append((time.perf_counter() - before) * 1e3)

    begin = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number, (run_id, step) in enumerate(steps):
            await asyncio.sleep(max(0.0, begin + number / rate - time.perf_counter()))
            group.create_task(put(run_id, step))
    await journal.aclose()
    acks.sort()
    return {"p50_ms": acks[len(acks) // 2], "p99_ms": acks[int(len(acks) * 0.99)], "max_ms": acks[-1]}


class Appends:
    """The core in an actor of its own, answering `sync` once all that it brought is on disk."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._core: Core | None = None

    async def begin(self, run_ids: Sequence[str]) -> None:
        """Open the journal and begin these runs."""
        self._core = await build_core(self._settings, {})
        for run_id in run_ids:
            receipt = self._core._journal.put(run_id, [RunStart(request={"prompt": "append"})])
        await receipt.committed()

    async def sync(self, sync: Sync) -> Synced:
        """See `CorePort.sync`."""
        assert self._core is not None
        synced = await self._core.sync(sync)
        await self._core._journal.put(sync.entries[-1].run_id).committed()
        return synced

    async def end(self) -> int:
        """Close the journal; gives how many events it holds."""
        assert self._core is not None
        ((count,),) = (await self._core.query("SELECT count(*) FROM events")).rows
        await self._core.aclose()
        return int(count)


class RemoteCore:
    """The actor as runners see their core."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    async def sync(self, sync: Sync) -> Synced:
        """See `CorePort.sync`."""
        synced: Synced = await self._actor.sync.remote(sync)
        return synced

    async def grants(self, runner_id: str) -> Granted:
        """Nobody requests for a lease."""
        raise NotImplementedError(runner_id)


async def through_actor(home: Path, seconds: float) -> dict[str, float]:
    """100 writers in this process, a runner's client between them and the core in a Ray actor."""
    settings = load_settings(env={"AI3_HOME": str(home), "AI3_LOCAL_MODEL": "off"}, cwd=home)
    with local_ray(home):
        import ray

        actor: Any = ray.remote(Appends).options(max_concurrency=1000, num_cpus=0).remote(settings)
        runs = [f"run_{number:03}" for number in range(WRITERS)]
        await actor.begin.remote(runs)
        core_client, acks, end = CoreClient(RemoteCore(actor), "bench"), [0] * WRITERS, time.perf_counter() + seconds

        async def write(number: int) -> None:
            while time.perf_counter() < end:
                warned = Warned(message=f"append {acks[number]} of a runner", code="bench")
                key = f"{number}.{acks[number]}"
                await core_client.put(Entries(run_id=runs[number], epoch=1, key=key, events=(warned,)))
                acks[number] += 1

        began = time.perf_counter()
        await asyncio.gather(*map(write, range(WRITERS)))
        took = time.perf_counter() - began
        await core_client.aclose()
        kept = await actor.end.remote() - WRITERS
        assert kept == sum(acks), f"{sum(acks)} were acknowledged, {kept} are there"
        return {"appends_per_s": sum(acks) / took, "appends": sum(acks)}
