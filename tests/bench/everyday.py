"""Twenty everyday prompts without a key, on the embedded model: `python tests/bench/everyday.py [--show]`.

Prints how each ended; exit code 1 when one failed or hung.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from ai3ray.connect import connect
from ai3ray.domain.request import RunRequest
from ai3ray.domain.result import RunResult
from ai3ray.settings.load import load_settings

PATIENCE_S = 180.0
PROMPTS = (
    "Write a 3-section blog post about AI",
    "What is the capital of Japan?",
    "Why is the sky blue?",
    "Give me 5 tips for better sleep",
    "Compare tea and coffee",
    "Write an email to my landlord about a broken heater",
    "How to bake bread",
    "Summarize in one sentence: The keeper lit a fire on the roof when a storm broke the lamp, and saved three ships.",
    "Write a short story about a fox who cannot sleep",
    "Pros and cons of working from home",
    "Explain photosynthesis to a child",
    "Write a poem about autumn",
    "Write a blog post about dogs with sections on food, training and health",
    "First list three fruits, then describe each of them, and finally pick the best one.",
    "Write a Python function that checks whether a number is prime",
    "Translate into French: Good morning, my friend. How are you today?",
    "Plan a 3-day trip to Rome",
    "Write a thank-you letter to my teacher",
    "What are the benefits of regular exercise?",
    "Suggest ten names for a cat",
)


async def ended(home: Path, prompt: str) -> tuple[RunResult | None, float]:
    """The run of one prompt, None when it did not end in time, and its seconds."""
    env = {"AI3_HOME": str(home)}
    settings = load_settings(env=env, cwd=home)
    began = time.perf_counter()
    async with connect(settings, env, inline=True, notify=print) as client:
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await client.run(RunRequest(prompt=prompt)), time.perf_counter() - began
        except TimeoutError:
            return None, time.perf_counter() - began


def told(prompt: str, result: RunResult | None, seconds: float) -> str:
    """One line of the table."""
    status = result.status if result else "hung"
    tasks = len(result.tasks) if result else 0
    words = len((result.output or "").split()) if result else 0
    why = f"  {result.error.message}" if result and result.error else ""
    return f"{status:<10} {tasks:>5} {words:>6} {seconds:>7.1f}  {prompt[:60]}{why}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--show", action="store_true", help="print the answers too")
    show = parser.parse_args().show
    print(f"{'status':<10} {'tasks':>5} {'words':>6} {'seconds':>7}  prompt")
    good = 0
    for prompt in PROMPTS:
        with tempfile.TemporaryDirectory(prefix="ai3-") as folder:
            result, seconds = asyncio.run(ended(Path(folder), prompt))
        good += result is not None and result.status in {"succeeded", "partial"}
        print(told(prompt, result, seconds), flush=True)
        if show and result is not None:
            print(f"\n{result.output}\n", flush=True)
    print(f"{good} of {len(PROMPTS)} ended with an answer")
    return 0 if good == len(PROMPTS) else 1


if __name__ == "__main__":
    sys.exit(main())
