"""What a run on the journal takes beside the same run on its twin in memory."""

from __future__ import annotations

import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

from ai3ray.domain.request import RunRequest
from ai3ray.executor.caller import Caller
from ai3ray.executor.core import Core
from ai3ray.executor.core_client import CoreClient
from ai3ray.executor.inline import InlineRunnerPool
from ai3ray.executor.runner import Runner
from ai3ray.journal.memory import MemoryJournal
from ai3ray.journal.store import DuckDBJournal
from ai3ray.planner.planner import PlannerSettings
from ai3ray.pool.pool import ProviderPool
from ai3ray.providers.scripted import ScriptedChat, ScriptedReply
from ai3ray.registry.registry import Registry
from ai3ray.settings.load import load_settings
from ai3ray.telemetry.observers import Observers
from ai3ray.verifier.isolation import ProcessIsolation

CALL_S = 0.2
GRAPHS = {"5x4": (5, 4), "40x1": (40, 1)}
"""Tasks beside each other, and how many times one after the other."""


def graph(wide: int, deep: int) -> dict[str, Any]:
    """Layers of tasks, each of which needs all of the layer before."""
    tasks = [
        {
            "id": f"t{layer}.{n}",
            "prompt": f"Write about subject {n}.",
            "depends_on": [f"t{layer - 1}.{dep}" for dep in range(wide)] if layer else [],
        }
        for layer in range(deep)
        for n in range(wide)
    ]
    return {"tasks": tasks, "assembly": "concat"}


@asynccontextmanager
async def engine(journal: Any, home: Path, rng: Random) -> AsyncIterator[Core]:
    """The inline engine over this journal; every model answers after 200 ms."""
    settings = load_settings(
        env={"AI3_HOME": str(home), "AI3_MAX_CONCURRENCY_PER_PROVIDER": "100", "AI3_MAX_TASKS": "100"}, cwd=home
    )
    registry, ids = Registry.load(settings), iter(range(1 << 30))
    pool = ProviderPool(
        registry,
        settings,
        ("openai",),
        clock=time.monotonic,
        new_id=lambda: f"att_{next(ids):022}",
        jitter=rng.random,
    )
    core = Core(settings, registry, ("openai",), journal=journal, pool=pool, observers=Observers())
    core_client, chat = (
        CoreClient(core, "bench"),
        ScriptedChat(lambda _: ScriptedReply("It is a subject with two sides.", wait_s=CALL_S)),
    )
    caller = Caller(core_client, lambda _: chat, registry.card, registry.prices)
    runner = Runner(core_client, caller, ProcessIsolation(), PlannerSettings(max_output_tokens=100, temperature=0.0))
    core.start(InlineRunnerPool(runner))
    yield core
    await core.aclose_runs()
    await core_client.flush()
    await core_client.aclose()
    await core.aclose()


async def makespan(core: Core, wide: int, deep: int) -> float:
    """Seconds from the request to the last event of one run."""
    request = RunRequest(plan=graph(wide, deep), max_concurrency=wide, max_tasks=100, verify=False)
    began = time.perf_counter()
    run_id = (await core.submit(request)).run_id
    after, done = 0, False
    while not done:
        feed = await core.feed(run_id, after)
        after, done = after + len(feed.items), feed.done
    seconds = time.perf_counter() - began
    status = (await core.result(run_id)).status
    assert status == "succeeded", f"{run_id} is {status}"
    return seconds


async def beside_its_twin(folder: Path, rng: Random, repeats: int) -> dict[str, float]:
    """The ratio of the medians for each graph; the two take turns."""
    took: dict[tuple[str, str], list[float]] = {}
    (folder / "memory").mkdir(parents=True)
    disk = await DuckDBJournal.open(folder / "disk" / "journal.duckdb")
    async with (
        engine(MemoryJournal(), folder / "memory", rng) as twin,
        engine(disk, folder / "disk", rng) as journal,
    ):
        for repeat in range(repeats + 1):
            for name, (wide, deep) in GRAPHS.items():
                for kind, core in (("memory", twin), ("disk", journal)):
                    seconds = await makespan(core, wide, deep)
                    if repeat:  # the first warms up
                        took.setdefault((name, kind), []).append(seconds)
    median = {key: statistics.median(seconds) for key, seconds in took.items()}
    figures = {f"{name}_ratio": median[name, "disk"] / median[name, "memory"] for name in GRAPHS}
    return figures | {f"{name}_{kind}_s": seconds for (name, kind), seconds in median.items()}
