"""Fairness: a small run that arrives beside a large one on the same provider.

    python -m tests.bench.bench_fair [--rounds 5] [--seed 1] [--check]

The engine in this process against the simulator. Ten tasks alone at half the permits, then ten tasks that arrive beside
a run of two hundred at all of them: their time may be half as long again. The wall clock decides, so the median over
the rounds counts.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path

from ai3ray.client.client import Client
from ai3ray.connect import connect
from ai3ray.domain.request import RunRequest
from ai3ray.simulator import Pace, Simulator, SimulatorSettings, running_in_thread
from tests.conftest import make_home, quiet

PERMITS = 8
LARGE, SMALL = 200, 10
CALL_S = 0.5
LONGER = 1.5
"""The small run's time beside the large one, over its time alone at half the permits."""


def wide(tasks: int, word: str, run_class: str = "interactive") -> RunRequest:
    """A run of tasks that need nothing of each other."""
    plan = {"tasks": [{"id": f"t{n}", "prompt": f"Write a line about {word} {n}."} for n in range(tasks)]}
    body = {
        "plan": plan,
        "models": ["anthropic/claude-sonnet-5-5"],
        "max_concurrency": tasks,
        "max_tasks": tasks,
        "verify": False,
        "class": run_class,
    }
    return RunRequest.model_validate(body)


async def seconds(client: Client, request: RunRequest) -> float:
    """From asking for a run to its end."""
    before = time.perf_counter()
    result = await client.run(request)
    assert result.status == "succeeded", result
    return time.perf_counter() - before


@asynccontextmanager
async def engine(simulator: Simulator, permits: int):
    """An engine of its own with so many permits at each provider."""
    with tempfile.TemporaryDirectory(prefix="ai3f-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        limits = {"AI3_MAX_CONCURRENCY_PER_PROVIDER": str(permits), "AI3_MAX_TASKS": str(LARGE)}
        home = make_home(Path(folder), simulator, **limits)
        async with connect(home.settings, home.env, inline=True, notify=quiet) as client:
            await seconds(client, wide(1, "warmup"))
            yield client


async def alone(simulator: Simulator, small: int) -> float:
    """The small run by itself at half the permits."""
    async with engine(simulator, PERMITS // 2) as client:
        return await seconds(client, wide(small, "ease"))


async def beside(simulator: Simulator, small: int, large: int) -> float:
    """The small run beside the large one."""
    async with engine(simulator, PERMITS) as client:
        crowd = await client.submit(wide(large, "crowds"))
        await asyncio.sleep(2 * CALL_S)
        took = await seconds(client, wide(small, "ease"))
        assert (await client.result(crowd.run_id)).status == "running", "the large run was over before"
        await client.cancel(crowd.run_id)
        return took


async def measure(
    rounds: int, seed: int, small: int = SMALL, large: int = LARGE, call_s: float = CALL_S
) -> list[float]:
    """The ratio, round by round."""
    pace = Pace(total_s=call_s, total_sigma=0.3)
    ratios = []
    for number in range(rounds):
        with running_in_thread(SimulatorSettings.load(seed=seed + number, pace=pace)) as simulator:
            ratios.append(await beside(simulator, small, large) / await alone(simulator, small))
    return ratios


def main() -> int:
    """All rounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--check", action="store_true", help="exit 1 when the target is missed")
    options = parser.parse_args()
    ratios = asyncio.run(measure(options.rounds, options.seed))
    median = statistics.median(ratios)
    print(f"{SMALL} tasks beside {LARGE}, over alone at half of {PERMITS} permits: {median:.2f} (at most {LONGER})")
    print("rounds: " + ", ".join(f"{ratio:.2f}" for ratio in ratios))
    met = median <= LONGER
    rounded = [round(ratio, 3) for ratio in ratios]
    print(json.dumps({"bench": "fair", "met": met, "median": round(median, 3), "rounds": rounded}))
    return 1 if options.check and not met else 0


if __name__ == "__main__":
    sys.exit(main())
