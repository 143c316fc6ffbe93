"""Four real runners on a local Ray, the simulator over HTTP, an account of 600 requests per minute, by the second."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

from ai3ray.client.client import Client
from ai3ray.client.local_head import stop_head
from ai3ray.connect import connect
from ai3ray.domain.request import RunRequest
from ai3ray.simulator import Limits, Pace, Simulator, SimulatorSettings, running_in_thread
from tests.conftest import make_home, quiet

RPM = 600
TASKS = 100
RUNS = 14
WARM_S = 5.0
"""Seconds from the first call until the time that is measured: the limits are learned in it."""
MODEL = {"anthropic": "claude-sonnet-5-5", "openai": "gpt-6-luna", "xai": "grok-4.7"}
LIMITS = {
    "AI3_RUNNERS": "4",
    "AI3_MAX_CONCURRENCY_PER_PROVIDER": "100",
    "AI3_MAX_TASKS": str(TASKS),
    "AI3_MAX_RUNS": str(RUNS),
}


def request(vendor: str) -> RunRequest:
    """A run of tasks that need nothing of each other."""
    plan = {"tasks": [{"id": f"t{n}", "prompt": f"Write a line about subject {n}."} for n in range(TASKS)]}
    body = {"plan": plan, "models": [f"{vendor}/{MODEL[vendor]}"], "max_concurrency": TASKS, "verify": False}
    return RunRequest.model_validate(body)


async def over_http(vendor: str, seconds: float, seed: int) -> dict[str, Any]:
    """Keep the account busy for so long. Returns which share of it was used, and which of the calls were refused."""
    limits = {vendor: Limits(rpm=RPM, burst_s=1.0)}
    pace = Pace(total_s=1.5, total_sigma=0.3)
    with (
        running_in_thread(SimulatorSettings.load(seed=seed, pace=pace, limits=limits)) as simulator,
        tempfile.TemporaryDirectory(prefix="ai3l-", dir="/tmp", ignore_cleanup_errors=True) as folder,
    ):
        home = make_home(Path(folder), simulator, **LIMITS)
        try:
            async with connect(home.settings, home.env, notify=quiet) as client:
                await _keep_busy(client, simulator, vendor, seconds)
        finally:
            await stop_head(home.settings)
        return _told(simulator, seconds)


async def _keep_busy(client: Client, simulator: Simulator, vendor: str, seconds: float) -> None:
    accepted = [await client.submit(request(vendor)) for _ in range(RUNS)]
    while not simulator.ledger.calls:
        await asyncio.sleep(0.1)
    end = simulator.ledger.calls[0].started + WARM_S + seconds
    await asyncio.sleep(max(0.0, end - time.time()))
    for run in accepted:
        await client.cancel(run.run_id)


def _told(simulator: Simulator, seconds: float) -> dict[str, Any]:
    """By the vendor's own ledger."""
    calls = simulator.ledger.calls
    start = calls[0].started + WARM_S
    seen = [call for call in calls if start <= call.started < start + seconds]
    refused = sum(call.status == 429 for call in seen)
    return {
        "calls": len(seen),
        "used": round((len(seen) - refused) / (RPM * seconds / 60), 4),
        "refused": round(refused / max(1, len(seen)), 5),
        "refused_warm": sum(call.status == 429 for call in calls if call.started < start),
    }
