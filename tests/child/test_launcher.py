"""Real child processes: what they get, what they may use, and that they end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from ai3ray.child.launcher import ChildProcess, child_environment, child_process

WORKER = "tests.child.worker"
PARENT = f"""
import asyncio
from ai3ray.child.launcher import ChildProcess

async def main():
    children = [await ChildProcess.start({WORKER!r}, "ignore_sigterm") for _ in range(2)]
    for child in children:
        await child.stdout.readline()
    print(*(child.pid for child in children), flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""
ROOT = Path(__file__).parents[2]


async def started(what: str, *arguments: str) -> ChildProcess:
    child = await ChildProcess.start(WORKER, what, *arguments)
    assert await child.stdout.readline() == b'"ready"\n'
    return child


async def said(what: str, *arguments: str) -> object:
    child = await ChildProcess.start(WORKER, what, *arguments)
    return json.loads(await child.communicate(b""))


def has_ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def await_end(pid: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not has_ended(pid):
        assert time.monotonic() < deadline, "it has outlived its parent"
        time.sleep(0.02)


def test_children_end_with_a_parent_that_is_killed() -> None:
    """Whatever they do with SIGTERM: the kernel sends SIGKILL."""
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        children = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(children) == 2
        assert not any(map(has_ended, children))
        parent.send_signal(signal.SIGKILL)
    for pid in children:
        await_end(pid, 3)


def test_a_child_of_a_parent_that_has_ended_already_does_not_begin() -> None:
    env = child_environment() | {"AI3_PARENT_PID": "1"}
    command = [sys.executable, "-P", "-m", WORKER, "environment"]
    done = subprocess.run(command, env=env, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, b"")


async def test_a_child_can_end_with_its_input() -> None:
    child = await started("sleep_until_input_ends")
    child.stdin.close()
    assert await child.wait() == -signal.SIGKILL


async def test_no_key_is_in_the_environment_of_a_child(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("ANTHROPIC_API_KEY", "AI3_API_KEYS", "AI3_SERVER_KEY", "OPENAI_BASE_URL", "DATABASE_URL", "SECRET")
    for name in names:
        monkeypatch.setenv(name, "canary")
    got = await said("environment")
    assert isinstance(got, dict)
    assert not set(names) & set(got)
    assert "canary" not in got.values()
    assert got["PATH"] == os.environ["PATH"]


def test_a_child_gets_the_variables_and_folders_that_it_is_given() -> None:
    environment = child_environment({"MALLOC_ARENA_MAX": "1"}, ["/opt/modules", ROOT])
    assert environment["MALLOC_ARENA_MAX"] == "1"
    assert environment["PYTHONPATH"] == os.pathsep.join([str(ROOT), "/opt/modules"])


async def test_a_child_that_ends_on_sigterm_is_stopped_at_once() -> None:
    child = await started("sleep")
    begin = time.monotonic()
    await child.stop(30)
    assert child.exit_code == -signal.SIGTERM
    assert time.monotonic() - begin < 15


async def test_a_child_that_ignores_sigterm_is_killed() -> None:
    child = await started("ignore_sigterm")
    await child.stop(0.3)
    assert child.exit_code == -signal.SIGKILL


async def test_a_child_that_has_ended_can_be_stopped_and_killed() -> None:
    child = await ChildProcess.start(WORKER, "environment")
    await child.communicate(b"")
    await child.stop(30)
    await child.kill()
    assert child.exit_code == 0


async def test_no_child_outlives_its_block() -> None:
    with pytest.raises(KeyError):
        async with child_process("http.server") as child:
            raise KeyError
    assert child.exit_code is not None
    assert has_ended(child.pid)


async def test_errors_go_to_the_file_that_is_given(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log:
        child = await ChildProcess.start(WORKER, "complain", stderr=log)
    await child.communicate(b"")
    assert (tmp_path / "log").read_text() == "a complaint\n"


async def test_the_limit_of_memory_holds() -> None:
    assert await said("allocate") == "no memory"


async def test_a_limited_child_writes_no_file(tmp_path: Path) -> None:
    assert await said("write_a_file", str(tmp_path / "file")) == os.strerror(27)


@pytest.mark.parametrize(("what", "signum"), [("compute", signal.SIGXCPU), ("outlast_the_clock", signal.SIGALRM)])
async def test_the_limits_of_time_hold(what: str, signum: signal.Signals) -> None:
    child = await ChildProcess.start(WORKER, what)
    assert await child.wait() in (-signum, -signal.SIGKILL)  # soft and hard limit are one: either signal ends it
