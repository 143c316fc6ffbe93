"""The place of a campaign: a home of its own, its simulator, its trap, and the processes in it that can be killed."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from ai3ray.client.client import Client
from ai3ray.client.local_head import find_head, stop_head
from ai3ray.connect import connect
from ai3ray.settings.load import load_settings
from ai3ray.simulator import Simulator, SimulatorSettings, running_in_thread
from tests.chaos.trap import Trap
from tests.conftest import Home, make_home, quiet

Victim = Literal["cli", "runner", "core", "raylet", "gcs", "head"]
VICTIMS: tuple[Victim, ...] = ("cli", "runner", "core", "raylet", "gcs", "head")
"""The core is conductor, pool and journal: one process. The head takes gcs, raylet and core along."""
LIMIT = 4
"""Calls in flight that a provider allows."""
WAIT_S = 60.0
"""Seconds within which a process has to be there, or gone."""

# By price alone, the one term that neither chance nor experience changes.
_ROUTER = """
preset = "price"
exploration = 0
[presets.price]
cost = 1.0
"""
_PACE = {"first_token_s": 0.03, "tokens_per_s": 3000.0}
_PROCESSES = {"runner": "ray::RunnerHost", "core": "ray::CoreHost", "raylet": "raylet/raylet", "gcs": "gcs_server"}


@dataclass(frozen=True)
class Site:
    """Everything that one kill after the other needs."""

    home: Home
    simulator: Simulator
    trap: Trap

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """A client of this home's head, which is brought up when there is none."""
        async with connect(self.home.settings, self.home.env, notify=quiet) as client:
            yield client

    async def ready(self) -> None:
        """Return once a head with all its processes is up, no call of an earlier run is open, and no trap is set."""
        self.trap.clear()
        async with self.client() as client:
            await client.stats()
        await until(lambda: not self.simulator.ledger.in_flight, "calls of an earlier run are still open")
        self.simulator.reset()

    async def pids(self, victim: Victim) -> list[int]:
        """The processes to kill; those that Ray is just starting are waited for."""
        head = find_head(self.home.settings)
        assert head is not None, "there is no head"
        if victim == "head":
            return [head.pid]
        words, found = _PROCESSES[victim], list[int]()

        def look() -> bool:
            for process in psutil.Process(head.pid).children(recursive=True):
                with suppress(psutil.Error):
                    if words in " ".join(process.cmdline()):
                        found.append(process.pid)
            return bool(found)

        await until(look, f"there is no {victim}")
        return found


async def until(true: Callable[[], bool], otherwise: str, within_s: float = WAIT_S) -> None:
    """Wait for something outside this process, which nothing announces."""
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, otherwise
        await asyncio.sleep(0.02)


def gone(pid: int) -> bool:
    """Whether a process has ended."""
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True


@asynccontextmanager
async def opened_site(bytecode: Path | None = None) -> AsyncIterator[Site]:
    """A site of its own, whose head is stopped with the block.

    Args:
        bytecode: where homes share what they compile; compiling takes longer than booting.
    """
    with (
        running_in_thread(SimulatorSettings.load(pace=_PACE)) as simulator,
        tempfile.TemporaryDirectory(prefix="ai3x-", dir="/tmp", ignore_cleanup_errors=True) as folder,
    ):
        site = _site(Path(folder), simulator, bytecode)
        try:
            yield site
        finally:
            await stop_head(site.home.settings)


def _site(folder: Path, simulator: Simulator, bytecode: Path | None) -> Site:
    trap = Trap(folder / "trap")
    (folder / "router.toml").write_text(_ROUTER)
    if bytecode is not None:
        (folder / "pycache").symlink_to(bytecode)
    home = make_home(folder, simulator, AI3_MAX_CONCURRENCY_PER_PROVIDER=str(LIMIT))
    # One SDK less to import in every runner that comes back; and Ray would let its workers yield to all others.
    env = {name: value for name, value in home.env.items() if not name.startswith("ANTHROPIC_")}
    env |= {"RAY_worker_niceness": "0", **trap.env(home.env)}
    return Site(Home(load_settings(env=env, cwd=folder), env), simulator, trap)


AI3 = Path(sys.executable).with_name("ai3")
"""The command."""
