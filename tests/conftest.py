"""One simulator and one head, so one Ray, for the whole session."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ai3ray.client.client import Client
from ai3ray.client.local_head import ensure_head, stop_head
from ai3ray.connect import connect
from ai3ray.settings.load import load_settings
from ai3ray.settings.model import Settings
from ai3ray.simulator import Simulator, running_in_thread

ON_DEMAND = {"chaos": "chaos", "test_serve_run.py": "test_serve_run", "test_jobs.py": "test_jobs"}
"""Folders and files that take minutes or a second Ray, by the word of the command line that asks for them."""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """The chaos campaign, `serve run` and jobs run when they are asked for: `pytest tests/chaos`."""
    word = ON_DEMAND.get(collection_path.name)
    if word is not None and not any(word in argument for argument in config.args):
        return True
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All that needs Ray runs in one worker, so that a session boots one Ray."""
    for item in items:
        if item.get_closest_marker("ray"):
            item.add_marker(pytest.mark.xdist_group("ray"))


@dataclass(frozen=True)
class Home:
    """An AI3_HOME whose providers are the simulator."""

    settings: Settings
    env: dict[str, str]

    @property
    def path(self) -> Path:
        return self.settings.home


def make_home(path: Path, simulator: Simulator, **settings: str) -> Home:
    """A home at a path, with AI3_* settings by name."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AI3_")}
    env = {**kept, **simulator.env(), "AI3_HOME": str(path), **settings}
    return Home(load_settings(env=env, cwd=path), env)


def quiet(line: str) -> None:
    """Nobody to notify."""


@pytest.fixture(scope="session")
def shared_simulator() -> Iterator[Simulator]:
    with running_in_thread() as simulator:
        yield simulator


@pytest.fixture
def simulator(shared_simulator: Simulator) -> Iterator[Simulator]:
    """The session's simulator without faults, its ledger empty."""
    shared_simulator.reset()
    yield shared_simulator
    shared_simulator.reset()


@pytest.fixture
def home_folder() -> Iterator[Path]:
    """An empty folder whose sockets have short names; pytest's own is too long for some systems."""
    with tempfile.TemporaryDirectory(prefix="ai3t-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def head_home(shared_simulator: Simulator) -> Iterator[Home]:
    """The session's home, with its head up."""
    with tempfile.TemporaryDirectory(prefix="ai3s-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        home = make_home(Path(folder), shared_simulator, AI3_MAX_CONCURRENCY_PER_PROVIDER="8")
        asyncio.run(ensure_head(home.settings, home.env, notify=quiet))
        yield home
        asyncio.run(stop_head(home.settings))


@pytest.fixture(params=[pytest.param("inline"), pytest.param("ray", marks=pytest.mark.ray)])
def hosted(request: pytest.FixtureRequest, simulator: Simulator) -> tuple[Home, bool]:
    """A home and whether its engine is inline. Not async: booting the session's head needs a loop of its own."""
    if request.param == "ray":
        return request.getfixturevalue("head_home"), False
    folder: Path = request.getfixturevalue("home_folder")
    return make_home(folder, simulator, AI3_MAX_CONCURRENCY_PER_PROVIDER="8"), True


@pytest.fixture
async def client(hosted: tuple[Home, bool]) -> AsyncIterator[Client]:
    """A client of each host of the engine: the same code in this process, and on Ray behind a head."""
    home, inline = hosted
    async with connect(home.settings, home.env, inline=inline, notify=quiet) as connected:
        yield connected
