"""The HTTP API under load: many streams, a burst of submits, time to the first token.

    python -m tests.bench.bench_api [--streams 500] [--submits 2000] [--tokens 100] [--only streams] [--check]

`ai3 serve` in a home of its own, one replica of Ray Serve, against the simulator; the clients share the machine with
all of that. Delivery counts from an event's own time stamp, taken just before its commit, so it is an upper bound.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import aiohttp
import psutil

from ai3ray.simulator import Pace, Simulator, SimulatorSettings, running_in_thread
from tests.conftest import make_home

MODEL = "openai/gpt-6-luna"
TARGETS = {
    "delivery_p95_ms": 100.0,
    "dropped": 0,
    "accepted_per_s": 80.0,
    "lost": 0,
    "memory_ratio": 1.05,
    "ttft_p50_ms": 15.0,
    "ttft_p95_ms": 40.0,
}
AT_LEAST = {"accepted_per_s"}
QUICK: dict[str, float | None] = {"first_token_s": 0.2, "tokens_per_s": 2000.0, "total_s": None, "total_sigma": 0.0}
AS_MODELS_DO: dict[str, float | None] = {"first_token_s": 1.0, "total_s": 6.0, "total_sigma": 0.4}
"""What readers of a stream wait for: calls that take some seconds. The others measure what ai3ray itself takes."""


@contextmanager
def served(simulator: Simulator) -> Iterator[tuple[str, int]]:
    """`ai3 serve` on a free port of a fresh home: its address, and the process id of its head."""
    with tempfile.TemporaryDirectory(prefix="ai3b-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        home = make_home(Path(folder), simulator, AI3_MAX_RUNS="64", AI3_MAX_CONCURRENCY_PER_PROVIDER="64")
        # As many calls at once from the first on: what is measured here is not how the pool feels its way up.
        (home.path / "ai3.toml").write_text("[providers.openai]\nstart = 64\n")
        command = [Path(sys.executable).parent / "ai3", "serve", "--port", "0"]
        log = (home.path / "serve.log").open("w+")
        serve = subprocess.Popen(command, env=home.env, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            yield _address(serve, home.path), json.loads((home.path / "head.json").read_text())["pid"]
        finally:
            serve.send_signal(signal.SIGINT)
            serve.wait(60)
            subprocess.run([command[0], "down"], env=home.env, capture_output=True, check=False)
            log.close()


def _address(serve: subprocess.Popen[bytes], home: Path) -> str:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        said = (home / "serve.log").read_text()
        for word in said.split():
            if word.startswith("http://127.0.0.1:"):
                return word.rstrip("/.,")
        assert serve.poll() is None, said
        time.sleep(0.2)
    raise TimeoutError(said)


def one_task(n: int) -> dict[str, object]:
    """A run of one call."""
    plan = {"tasks": [{"id": "a", "prompt": f"Write a line about subject {n}."}]}
    return {"plan": plan, "models": [MODEL], "verify": False}


def chain(n: int, tasks: int = 4) -> dict[str, object]:
    """A run of calls one after the other."""
    plan = {
        "tasks": [
            {"id": f"t{k}", "prompt": f"Write line {k} of {n}.", "depends_on": [f"t{k - 1}"] if k else []}
            for k in range(tasks)
        ]
    }
    return {"plan": plan, "models": [MODEL], "verify": False}


async def streams(http: aiohttp.ClientSession, url: str, count: int, readers: int = 10) -> dict[str, float]:
    """So many readers at once, several to a run, that see every event of it.

    Delivery times are those of the events that came while all of them were open: what a reader finds when it comes is
    part of the body that has to be whole, and how long so many take to come is told beside it.
    """
    seen: list[tuple[float, float]] = []
    whole: dict[str, set[bytes]] = {}
    first_done: list[float] = []
    dropped = connected = 0
    all_here = 0.0

    async def read(run_id: str) -> None:
        nonlocal dropped, connected, all_here
        body = bytearray()
        async with http.get(f"{url}/runs/{run_id}/events") as response:
            if response.status != 200:
                dropped += 1
                return
            connected += 1
            all_here = max(all_here, time.time())
            async for chunk in response.content.iter_any():
                now = time.time()
                body += chunk
                seen.extend((stamp, now) for stamp in _stamps(chunk))
            first_done.append(time.time())
        dropped += b"event: stats" not in body
        whole.setdefault(run_id, set()).add(bytes(body))

    async def run(n: int) -> None:
        async with http.post(f"{url}/runs", json=chain(n)) as response:
            run_id = (await response.json())["run_id"]
        await asyncio.gather(*(read(run_id) for _ in range(readers)))

    began = time.time()
    await asyncio.gather(*(run(n) for n in range(count // readers)))
    open_s = min(first_done) - all_here
    assert open_s > 0, "the first run was over before the last reader came"
    late = [now - stamp for stamp, now in seen if all_here < stamp < min(first_done)]
    return {
        "streams": connected,
        "connecting_s": round(all_here - began, 2),
        "all_open_s": round(open_s, 2),
        "deliveries": len(late),
        "deliveries_per_s": round(len(late) / open_s),
        "delivery_p50_ms": round(1000 * statistics.median(late), 1),
        "delivery_p95_ms": round(1000 * statistics.quantiles(late, n=20)[-1], 1),
        "delivery_max_ms": round(1000 * max(late), 1),
        "dropped": dropped,
        "differing": sum(len(bodies) > 1 for bodies in whole.values()),
    }


def _stamps(chunk: bytes) -> Iterator[float]:
    """When each event of a piece of a stream was stamped."""
    for line in chunk.split(b"\n"):
        if line.startswith(b"data: {") and b'"ts":"' in line:
            stamp = line.split(b'"ts":"', 1)[1].split(b'"', 1)[0].decode()
            yield datetime.fromisoformat(stamp).timestamp()


async def submits(http: aiohttp.ClientSession, url: str, head: int, count: int) -> dict[str, float]:
    """A burst of runs, all of which end. A burst before it fills what is filled once: caches, pools, the allocator."""
    ids = await _burst(http, url, count // 2)
    await _all_ended(http, url, len(ids))
    before = await _settled_memory(head)
    began = time.perf_counter()
    ids |= (burst := await _burst(http, url, count))
    accepted_s = time.perf_counter() - began
    await _all_ended(http, url, len(ids))
    finished_s = time.perf_counter() - began
    after = await _settled_memory(head)
    return {
        "submits": count,
        "accepted_per_s": round(count / accepted_s, 1),
        "finished_per_s": round(count / finished_s, 1),
        "lost": count - len(burst),
        "memory_before_mb": before,
        "memory_after_mb": after,
        "memory_ratio": round(after / before, 3),
    }


async def _burst(http: aiohttp.ClientSession, url: str, count: int) -> set[str]:
    """So many submits, 64 at a time; gives the ids of those that were accepted."""
    gate = asyncio.Semaphore(64)
    ids: set[str] = set()

    async def submit(n: int) -> None:
        async with gate, http.post(f"{url}/runs", json=one_task(n)) as response:
            if response.status == 202:
                ids.add((await response.json())["run_id"])

    await asyncio.gather(*(submit(n) for n in range(count)))
    return ids


async def _all_ended(http: aiohttp.ClientSession, url: str, runs: int) -> None:
    """Return once so many runs have succeeded, beside the one that warmed up."""
    sql = "select count(*) as n from runs where status = 'succeeded'"
    async with asyncio.timeout(900):
        while True:
            async with http.post(f"{url}/sql", json={"query": sql}) as response:
                if (await response.json())["rows"][0]["n"] > runs:
                    return
            await asyncio.sleep(1.0)


async def _settled_memory(head: int) -> float:
    """What is held once nothing has been asked for a while."""
    await asyncio.sleep(15)
    return _memory(head)


async def tokens(http: aiohttp.ClientSession, url: str, simulator: Simulator, count: int) -> dict[str, float]:
    """What ai3ray adds to the time to the first token: provider's first byte to client's first delta."""
    added = []
    for n in range(count):
        simulator.ledger.calls.clear()
        body = {
            "model": MODEL,
            "stream": True,
            "metadata": {"verify": "false"},
            "messages": [{"role": "user", "content": f"Write about subject {n}."}],
        }
        seen = None
        async with http.post(f"{url}/v1/chat/completions", json=body) as response:
            async for line in response.content:
                if seen is None and b'"content":"' in line and b'"content":""' not in line:
                    seen = time.time()
        first = simulator.ledger.calls[-1].first_token
        if seen is not None and first is not None:
            added.append(seen - first)
    return {
        "calls": len(added),
        "ttft_p50_ms": round(1000 * statistics.median(added), 1),
        "ttft_p95_ms": round(1000 * statistics.quantiles(added, n=20)[-1], 1),
    }


def _memory(head: int) -> float:
    """MB that belong to the head and its children alone (USS)."""
    process = psutil.Process(head)
    total = 0
    for one in (process, *process.children(recursive=True)):
        try:
            total += one.memory_full_info().uss
        except psutil.Error:
            continue
    return round(total / 1e6, 1)


async def measure(args: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Every figure that was asked for."""
    wanted = [args.only] if args.only else ["tokens", "streams", "submits"]
    figures: dict[str, dict[str, float]] = {}
    settings = SimulatorSettings(pace=Pace(**QUICK))
    with running_in_thread(settings) as simulator, served(simulator) as (url, head):
        connector = aiohttp.TCPConnector(limit=2000)
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=900)) as http:
            async with http.post(f"{url}/run", json=one_task(0)) as response:  # the first call imports the SDK
                assert response.status == 200, await response.text()
            if "tokens" in wanted:
                figures["tokens"] = await tokens(http, url, simulator, args.tokens)
            if "streams" in wanted:
                simulator.set_latency(**AS_MODELS_DO)
                figures["streams"] = await streams(http, url, args.streams)
                simulator.set_latency(**QUICK)
            if "submits" in wanted:
                figures["submits"] = await submits(http, url, head, args.submits)
    return figures


def missed(figures: dict[str, dict[str, float]]) -> list[str]:
    """The targets that were missed."""
    flat = {name: value for group in figures.values() for name, value in group.items()}
    return [
        f"{name}: {flat[name]} (target {target})"
        for name, target in TARGETS.items()
        if name in flat and (flat[name] < target if name in AT_LEAST else flat[name] > target)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=500)
    parser.add_argument("--submits", type=int, default=2000)
    parser.add_argument("--tokens", type=int, default=100)
    parser.add_argument("--only", choices=("streams", "submits", "tokens"))
    parser.add_argument("--check", action="store_true", help="exit 1 when a target is missed")
    args = parser.parse_args()
    figures = asyncio.run(measure(args))
    for group, values in figures.items():
        print(group)
        for name, value in values.items():
            print(f"  {name:<20} {value:>12}")
    print(json.dumps({"bench": "api", **figures, "missed": missed(figures)}))
    sys.exit(1 if args.check and missed(figures) else 0)


if __name__ == "__main__":
    main()
