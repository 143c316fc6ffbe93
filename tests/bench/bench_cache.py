"""The providers' prompt caches: how much of what the tasks of a run share is read from them.

    python -m tests.bench.bench_cache [--tasks 20] [--tokens 4000] [--check]

The engine in this process against the simulator, whose caches follow the vendors' rules: an entry can be read once the
answer to the call that wrote it has begun. The run's tasks share a text of so many tokens. The figure is that of the
simulator's ledger: which part of all that the calls read, their own prompts included, was billed as read from a cache.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path
from random import Random

from ai3ray.connect import connect
from ai3ray.domain.request import RunRequest
from ai3ray.simulator import Pace, Simulator, SimulatorSettings, running_in_thread
from tests.conftest import make_home, quiet

MODELS = ("anthropic/claude-sonnet-5-5", "openai/gpt-6.1-sol")
TARGET = 0.85
WORDS = ["river", "stone", "market", "engine", "garden", "letter", "winter", "copper", "method", "signal", "harbor"]


def request(model: str, tasks: int, tokens: int, rng: Random) -> RunRequest:
    """A run whose tasks all read one text; four characters are a token."""
    text = ""
    while len(text) < 4 * tokens:
        text += rng.choice(WORDS) + " "
    body = {
        "plan": {
            "tasks": [{"id": f"t{n}", "prompt": f"Write a line about point {n} of the text."} for n in range(tasks)]
        },
        "context": [{"name": "text.md", "text": text}],
        "models": [model],
        "max_concurrency": tasks,
        "max_tasks": tasks,
        "verify": False,
    }
    return RunRequest.model_validate(body)


async def measure(simulator: Simulator, model: str, tasks: int, tokens: int, seed: int) -> dict[str, float]:
    """One run: its calls, what they read, and how much of the shared text came from a cache."""
    simulator.reset()
    with tempfile.TemporaryDirectory(prefix="ai3c-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        limits = {"AI3_MAX_CONCURRENCY_PER_PROVIDER": str(tasks), "AI3_MAX_TASKS": str(tasks)}
        home = make_home(Path(folder), simulator, **limits)
        (home.path / "ai3.toml").write_text(f"[providers.{model.partition('/')[0]}]\nstart = {tasks}\n")
        async with connect(home.settings, home.env, inline=True, notify=quiet) as client:
            result = await client.run(request(model, tasks, tokens, Random(seed)))
    assert result.status == "succeeded", result
    calls = simulator.ledger.calls
    return {
        "calls": len(calls),
        "input_tokens": (read := sum(call.input_tokens for call in calls)),
        "cached_tokens": (cached := sum(call.cached_tokens for call in calls)),
        "share": round(cached / read, 3),
        "cost_usd": round(result.stats.cost_usd, 4),
        "seconds": round(result.stats.seconds, 2),
    }


def main() -> int:
    """Every vendor that caches."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=20)
    parser.add_argument("--tokens", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--check", action="store_true", help="exit 1 when the target is missed")
    options = parser.parse_args()
    found = {}
    with running_in_thread(SimulatorSettings.load(seed=options.seed, pace=Pace(first_token_s=0.3))) as simulator:
        for model in MODELS:
            found[model] = asyncio.run(measure(simulator, model, options.tasks, options.tokens, options.seed))
            print(f"{model:28} {found[model]}")
    met = all(figures["share"] >= TARGET for figures in found.values())
    print(json.dumps({"bench": "cache", "met": met, **found}))
    return 1 if options.check and not met else 0


if __name__ == "__main__":
    sys.exit(main())
