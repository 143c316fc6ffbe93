"""What a call costs the provider simulator, in processor time.

    python -m tests.bench.bench_simulator [--calls 4000] [--in-flight 200] [--seed 1] [--check]

`ai3 simulate` in a process of its own, asked over plain sockets, so that the figure is the simulator's alone: short
answers of a fixed text, which benches use, and prose of about 200 tokens in pieces of 8. Answers take 0.2 s each.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

TARGET_MS = 1.0
"""Processor time that a small call may cost."""
PATHS = {
    "anthropic": ("/anthropic/v1/messages", "claude-sonnet-5-5"),
    "openai": ("/openai/v1/chat/completions", "gpt-6-luna"),
    "xai": ("/xai/v1/chat/completions", "grok-4.7"),
}
FREE = "".join(f"[limits.{vendor}]\nrpm = 1_000_000\n" for vendor in PATHS)  # xAI's 20,000 are 333 in a second
SHORT = f"[answers]\ntokens = 16\n{FREE}"
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_LAST_CHUNK = b"\r\n0\r\n\r\n"


@dataclass(frozen=True)
class Row:
    """One kind of call."""

    vendor: str
    answer: str
    stream: bool
    cpu_ms: float
    """Processor time of the simulator per call."""
    per_s: float
    """Calls per second of the wall clock, the client's own time included."""
    p50_s: float
    """Median time of a call as the client saw it."""
    failed: int
    """Calls that were not answered 200."""


class Caller:
    """Asks one simulator over plain sockets.

    Args:
        port: where it listens.
        vendor: whose wire format.
        stream: whether answers are streamed.
    """

    def __init__(self, port: int, vendor: str, *, stream: bool) -> None:
        self._port, self._vendor, self._stream = port, vendor, stream
        self.seconds: list[float] = []
        self.failed = 0

    async def ask(self, calls: int, in_flight: int) -> None:
        """So many calls, so many at once."""
        numbers = iter(range(calls))
        async with asyncio.TaskGroup() as group:
            for _ in range(in_flight):
                group.create_task(self._keep_asking(numbers))

    async def _keep_asking(self, numbers: Iterator[int]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        for number in numbers:
            began = time.perf_counter()
            writer.write(self._request(number))
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            await (reader.readexactly(int(length[1])) if length else reader.readuntil(_LAST_CHUNK))
            self.seconds.append(time.perf_counter() - began)
            self.failed += b" 200 OK" not in head
        writer.close()
        await writer.wait_closed()

    def _request(self, number: int) -> bytes:
        path, model = PATHS[self._vendor]
        messages = [{"role": "user", "content": f"Write a paragraph about river {number}"}]
        body = json.dumps({"model": model, "max_tokens": 1000, "messages": messages, "stream": self._stream}).encode()
        head = f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\ncontent-length: {len(body)}\r\n\r\n"
        return head.encode() + body


@contextlib.contextmanager
def simulator(config: str, seed: int) -> Iterator[tuple[int, psutil.Process]]:
    """`ai3 simulate` with a configuration: its port and its process."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "simulator.toml"
        file.write_text(config)
        options = ["--latency", "constant:0.2", "--config", str(file), "--seed", str(seed)]
        with subprocess.Popen(
            [sys.executable, "-m", "cli", "simulate", *options], stdout=subprocess.PIPE, text=True
        ) as server:
            assert server.stdout is not None
            try:
                port = next(
                    found for line in server.stdout if (found := re.search(r"ready at http://[^:]+:(\d+)", line))
                )
                yield int(port[1]), psutil.Process(server.pid)
            finally:
                server.terminate()


def measure(vendor: str, answer: str, *, stream: bool, calls: int, in_flight: int, seed: int) -> Row:
    """What one kind of call costs."""
    with simulator(SHORT if answer == "short" else FREE, seed) as (port, process):
        warm = Caller(port, vendor, stream=stream)
        asyncio.run(warm.ask(in_flight, in_flight))
        caller = Caller(port, vendor, stream=stream)
        before, began = sum(process.cpu_times()[:2]), time.perf_counter()
        asyncio.run(caller.ask(calls, in_flight))
        spent, took = sum(process.cpu_times()[:2]) - before, time.perf_counter() - began
    return Row(
        vendor,
        answer,
        stream,
        cpu_ms=round(1000 * spent / calls, 3),
        per_s=round(calls / took),
        p50_s=round(statistics.median(caller.seconds), 3),
        failed=warm.failed + caller.failed,
    )


def main() -> None:
    """The bench as a command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=4000)
    parser.add_argument("--in-flight", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--check", action="store_true", help=f"exit 1 when a short call costs over {TARGET_MS:g} ms")
    options = parser.parse_args()
    rows = []
    print(f"{'vendor':10}{'answer':8}{'stream':8}{'cpu ms':>8}{'calls/s':>9}{'p50 s':>8}{'failed':>8}")
    for answer in ("short", "prose"):
        for vendor in PATHS:
            for stream in (False, True):
                row = measure(
                    vendor,
                    answer,
                    stream=stream,
                    calls=options.calls if answer == "short" else options.calls // 4,
                    in_flight=options.in_flight,
                    seed=options.seed,
                )
                rows.append(row)
                shown = "yes" if stream else "no"
                print(
                    f"{vendor:10}{answer:8}{shown:8}{row.cpu_ms:8.3f}{row.per_s:9.0f}{row.p50_s:8.3f}{row.failed:8}",
                    flush=True,
                )
    worst = max(row.cpu_ms for row in rows if row.answer == "short")
    print(json.dumps({"worst_short_cpu_ms": worst, "seed": options.seed, "rows": [asdict(row) for row in rows]}))
    if options.check and (worst > TARGET_MS or any(row.failed for row in rows)):
        sys.exit(1)


if __name__ == "__main__":
    main()
