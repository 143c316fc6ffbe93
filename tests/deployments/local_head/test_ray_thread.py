"""The thread that Ray lives in, with something else in Ray's place."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from ai3ray.client.head_paths import HeadPaths
from ai3ray.errors import EngineError
from ai3ray.settings.model import Settings
from deployments.local_head.ray_thread import ray_host
from tests.server.memory import MemoryEngine


class Boot:
    """Stands for a local Ray: notes what is done to it, and in which thread."""

    def __init__(self, error: Exception | None = None) -> None:
        self.engine = MemoryEngine()
        self.processes = (1, 2)
        self.error = error
        self.threads: dict[str, threading.Thread] = {}
        self.temp_dir: Path | None = None
        self.begun = threading.Event()
        self.allowed = threading.Event()
        self.allowed.set()
        self.down = threading.Event()

    def __call__(self, settings: Settings, *, temp_dir: Path) -> Boot:
        self.threads["boot"] = threading.current_thread()
        self.temp_dir = temp_dir
        self.begun.set()
        self.allowed.wait(10)
        if self.error is not None:
            raise self.error
        return self

    def shutdown(self) -> None:
        self.threads["shutdown"] = threading.current_thread()
        self.down.set()


@pytest.fixture
def paths(tmp_path) -> HeadPaths:
    return HeadPaths(tmp_path, tmp_path / "head.sock", tmp_path / "ray")


async def test_one_thread_boots_ray_lives_as_long_and_shuts_it_down(paths):
    boot = Boot()
    async with ray_host(boot, Settings(), paths) as hosted:
        assert (hosted.engine, hosted.processes) == (boot.engine, (1, 2))
        assert boot.threads["boot"].is_alive()
        assert boot.threads["boot"].daemon
        assert boot.threads["boot"] is not threading.main_thread()
        assert not boot.down.is_set()
    assert boot.threads["shutdown"] is boot.threads["boot"]
    assert paths.ray_dir.stat().st_mode & 0o777 == 0o700


async def test_a_boot_that_fails_raises_where_it_was_asked_for(paths):
    with pytest.raises(EngineError, match="no room"):
        async with ray_host(Boot(EngineError("no room")), Settings(), paths):
            pass


async def test_a_boot_that_is_given_up_is_not_waited_for_and_is_shut_down_later(paths):
    boot = Boot()
    boot.allowed.clear()

    async def enter() -> None:
        async with ray_host(boot, Settings(), paths):
            pass

    entering = asyncio.create_task(enter())
    assert await asyncio.to_thread(boot.begun.wait, 10)
    entering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await entering
    assert not boot.down.is_set()
    boot.allowed.set()
    assert await asyncio.to_thread(boot.down.wait, 10)


async def test_an_engine_that_cannot_be_closed_does_not_keep_ray_up(paths):
    boot = Boot()

    async def broken() -> None:
        raise EngineError("the core is gone")

    boot.engine.aclose = broken
    async with ray_host(boot, Settings(), paths):
        pass
    assert boot.down.is_set()
