"""The core actor under nothing but leases and settlements: journal and pool are real, the runs' tasks never end."""

from __future__ import annotations

import asyncio
import os
import time
from itertools import count
from pathlib import Path
from typing import Any

from ai3ray.domain.call import Usage
from ai3ray.domain.lease import Lease, LeaseRequest, Settlement
from ai3ray.domain.request import RunRequest
from ai3ray.executor.core import Core
from ai3ray.executor.port import AssembleJob, Outcome, PlanJob, Ref, Sync, Synced, TaskJob
from ai3ray.settings.load import load_settings
from ai3ray.settings.model import Settings
from tests.bench.local_ray import local_ray

ASKERS, BATCH, RUNS, TASKS = 2, 64, 16, 20
"""Two runners, each with so many calls that begin and end at a time, for the tasks of so many runs."""
KEYS = ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "XAI_API_KEY")
LIMITS = {"AI3_MAX_CONCURRENCY_PER_PROVIDER": "200", "AI3_MAX_CONCURRENCY": "20"}
TABLES = "".join(f"[providers.{name}]\nstart = 200\n" for name in ("anthropic", "openai", "xai"))


class Idle:
    """A runner pool that never gets anything done."""

    def start_task(self, job: TaskJob, deps: list[Ref | Outcome]) -> Any:
        """A reference that gives nothing."""
        return asyncio.get_running_loop().create_future()

    def start_plan(self, job: PlanJob) -> Any:
        """Not asked for: the runs bring their plans."""
        raise NotImplementedError

    def start_assembly(self, job: AssembleJob) -> Any:
        """Not asked for: no task ends."""
        raise NotImplementedError


class LoneCore:
    """The core as an actor, without runners."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._core: Core | None = None

    async def begin(self) -> list[str]:
        """Open the journal and submit the runs."""
        from ai3ray.executor.build import build_core
        from ai3ray.executor.ray.actors import collect_rarely

        self._core = await build_core(self._settings, os.environ)
        self._core.start(Idle())
        collect_rarely()
        tasks = [{"id": f"t{n}", "prompt": f"Write about subject {n}."} for n in range(TASKS)]
        request = RunRequest.model_validate({"plan": {"tasks": tasks}, "max_concurrency": TASKS})
        accepted = [await self._core.submit(request) for _ in range(RUNS)]
        await asyncio.sleep(0.5)
        return [one.run_id for one in accepted]

    async def sync(self, sync: Sync) -> Synced:
        """As the real one."""
        assert self._core is not None
        return await self._core.sync(sync)

    async def spent(self) -> float:
        """Processor time that the actor has used, in seconds."""
        return time.process_time()

    async def end(self) -> None:
        """Close the journal."""
        assert self._core is not None
        await self._core.aclose()


class Asker:
    """A runner that only asks for leases and gives them back."""

    async def go(self, core: Any, runs: list[str], name: str, seconds: float) -> int:
        """Pairs of lease and settle in that time."""
        numbers, pairs, settlements = count(), 0, ()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            requests = tuple(_lease_request(name, next(numbers), runs) for _ in range(BATCH))
            synced = await core.sync.remote(Sync(runner_id=name, settlements=settlements, leases=requests))
            assert len(synced.grants) == BATCH, synced.grants
            pairs += len(settlements)
            settlements = tuple(_settled(lease) for lease in synced.grants)
        await core.sync.remote(Sync(runner_id=name, settlements=settlements))
        return pairs + len(settlements)


def _lease_request(name: str, number: int, runs: list[str]) -> LeaseRequest:
    return LeaseRequest(
        request_id=f"{name}_{number}",
        run_id=runs[number % len(runs)],
        task_id=f"t{number % TASKS}",
        run_limit=1000,
        input_tokens=500,
    )


def _settled(lease: Lease) -> Settlement:
    return Settlement(
        attempt_id=lease.attempt_id,
        token=lease.token,
        status="succeeded",
        usage=Usage(input_tokens=500, output_tokens=300),
        cost_usd=0.004,
        seconds=2.0,
    )


def over_ray(home: Path, seconds: float) -> dict[str, Any]:
    """Boot a Ray, ask for so long, take it down."""
    os.environ.update(dict.fromkeys(KEYS, "no-key"))
    (home / "ai3.toml").write_text(TABLES)
    settings = load_settings(env={"AI3_HOME": str(home), **LIMITS}, cwd=home)
    with local_ray(home):
        import ray

        lone: Any = ray.remote(LoneCore).options(num_cpus=0, max_concurrency=1000)
        core = lone.remote(settings)
        runs = ray.get(core.begin.remote())
        asker: Any = ray.remote(Asker).options(num_cpus=0)
        askers = [asker.remote() for _ in range(ASKERS)]
        ray.get([one.go.remote(core, runs, f"warm{n}", 1.0) for n, one in enumerate(askers)])
        began, before = time.perf_counter(), ray.get(core.spent.remote())
        pairs = sum(ray.get([one.go.remote(core, runs, f"asker{n}", seconds) for n, one in enumerate(askers)]))
        wall = time.perf_counter() - began
        cpu = ray.get(core.spent.remote()) - before
        ray.get(core.end.remote())
    return {"pairs": pairs, "pairs_per_s": round(pairs / wall), "core_cpu_ms_per_pair": round(cpu / pairs * 1e3, 2)}
