"""No query outlives the process that asked for it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import psutil

from ai3ray.child.launcher import child_environment

ENDLESS = "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE hash(a.range, b.range) = 7"
ASK = f"""
import asyncio, sys
from pathlib import Path
from ai3ray.journal.store import DuckDBJournal

async def main():
    journal = await DuckDBJournal.open(Path(sys.argv[1]))
    await asyncio.gather(*(journal.query_isolated({ENDLESS!r}) for _ in range(2)))

asyncio.run(main())
"""


def at_work(child: psutil.Process) -> bool:
    return child.cpu_times().user > 0.4


def alive(child: psutil.Process) -> bool:
    return child.is_running() and child.status() != psutil.STATUS_ZOMBIE


def await_end(child: psutil.Process, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while alive(child):
        assert time.monotonic() < deadline, "it has outlived its parent"
        time.sleep(0.02)


@contextmanager
def limited_child(tmp_path: Path, wall_s: float) -> Iterator[subprocess.Popen[bytes]]:
    """The child's program with an endless query, started by hand."""
    duckdb.connect(tmp_path / "copy.duckdb").close()
    job = {"file": str(tmp_path / "copy.duckdb"), "query": ENDLESS, "max_rows": 1, "max_bytes": 1000}
    command = [sys.executable, "-P", "-m", "ai3ray.sql.isolated.query_worker"]
    with subprocess.Popen(command, env=child_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(json.dumps({**job, "limits": [1 << 30, 60, wall_s]}).encode() + b"\n")
        process.stdin.flush()
        try:
            yield process
        finally:
            process.kill()


def test_a_journal_that_is_killed_in_the_middle_of_queries_leaves_no_process(path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ASK, str(path)]) as process:
        parent = psutil.Process(process.pid)
        while len(children := parent.children()) < 2 or not all(map(at_work, children)):
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    for child in children:
        await_end(child, 3)


def test_a_child_ends_when_the_pipe_to_its_parent_does(tmp_path: Path) -> None:
    """This alone has to do where the kernel does not tell of a parent's death."""
    with limited_child(tmp_path, wall_s=60) as process:
        child = psutil.Process(process.pid)
        while not at_work(child):
            assert process.poll() is None
            time.sleep(0.02)
        assert process.stdin is not None
        process.stdin.close()
        await_end(child, 3)


def test_a_child_ends_by_its_own_clock_when_its_parent_hangs(tmp_path: Path) -> None:
    with limited_child(tmp_path, wall_s=1) as process:
        assert process.wait(30) == -signal.SIGALRM


def test_a_child_whose_parent_is_gone_already_does_not_begin(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "ai3ray.sql.isolated.query_worker"]
    env = child_environment() | {"AI3_PARENT_PID": "1"}
    done = subprocess.run(command, env=env, input=b"{}\n", capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, b"")
