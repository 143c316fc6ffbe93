"""A laptop's whole life with the installed command, real Ray and the simulator: cold, warm, killed, down."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ai3ray.client.local_head import find_head, stop_head
from ai3ray.simulator import Simulator
from tests.conftest import Home, make_home
from tests.executor.graphs import DIAMOND

pytestmark = [pytest.mark.ray, pytest.mark.slow]

AI3 = Path(sys.executable).with_name("ai3")
CANARY = "sk-canary-5f1d1f0c"


@pytest.fixture
def home(home_folder: Path, shared_simulator: Simulator) -> Iterator[Home]:
    """A home of its own, whose head is killed and replaced; keys that must turn up nowhere."""
    shared_simulator.reset()
    keys = dict.fromkeys(("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "XAI_API_KEY"), CANARY)
    home = make_home(home_folder, shared_simulator, **keys)
    yield home
    asyncio.run(stop_head(home.settings))
    shared_simulator.reset()


async def ai3(home: Home, *words: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of one command, started where no settings lie about."""
    process = await asyncio.create_subprocess_exec(
        AI3, *words, env=home.env, cwd=home.path, stdin=-3, stdout=-1, stderr=-1
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def test_a_laptops_life(home, shared_simulator):
    plan = home.path / "plan.json"
    plan.write_text(json.dumps(DIAMOND))

    # Two cold runs at once boot one head.
    first, second = await asyncio.gather(
        ai3(home, "run", "Write a 3-section blog post about AI", "--json"), ai3(home, "run", "--plan", str(plan))
    )
    assert (first[0], second[0]) == (0, 0), first[2] + second[2]
    assert len(json.loads(first[1])["tasks"]) == 3
    assert "starting the local head" in first[2] + second[2]
    head = find_head(home.settings)
    assert head is not None

    # The head is killed in the middle of a run: the next command brings a new one, which ends the run.
    shared_simulator.set_faults({"contains": "green tea", "when": {"first": 1}, "fault": "stall", "seconds": 120})
    run = asyncio.create_task(ai3(home, "run", "--plan", str(plan), "--json", "--stream"))
    async with asyncio.timeout(60):
        while shared_simulator.ledger.in_flight == 0 or not _in_flight(shared_simulator, "green tea."):
            await asyncio.sleep(0.02)
    os.kill(head.pid, signal.SIGKILL)
    await run  # how it ends is told below, by the journal
    code, out, err = await ai3(home, "run", "--no-plan", "Say hello", "--stream")
    assert code == 0, err
    assert "task_artifact" in err
    assert "task_artifact" not in out
    replaced = find_head(home.settings)
    assert replaced is not None
    assert replaced.pid != head.pid
    rows = json.loads((await ai3(home, "runs", "list", "--json"))[1])
    code, out, _ = await ai3(home, "runs", "watch", rows[1]["run_id"], "--json")
    assert (code, json.loads(out)["status"]) == (0, "succeeded")

    # SQL answers with the head up, and down.
    question = ("sql", "select model, calls from model_stats order by model", "--format", "json")
    up = await ai3(home, *question)
    assert (await ai3(home, "down"))[0] == 0
    down = await ai3(home, *question)
    assert up[0] == down[0] == 0
    assert json.loads(up[1]) == json.loads(down[1]) != []
    assert find_head(home.settings) is None

    # No key is in the journal, a log, a note or anything Ray wrote.
    assert [str(path) for path in _files(home.path) if CANARY.encode() in path.read_bytes()] == []


def _in_flight(simulator: Simulator, words: str) -> bool:
    return any(call.ended is None and call.turns[-1][1].endswith(words) for call in simulator.ledger.calls)


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            yield path
