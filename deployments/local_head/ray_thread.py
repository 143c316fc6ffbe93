"""Run Ray in one thread that lives as long as the head.

gcs, raylet and monitors ask the kernel for SIGKILL when the *thread* that forked them ends
(PR_SET_PDEATHSIG), so a thread that boots Ray and returns takes the cluster with it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from ai3ray.client.head_paths import HeadPaths
from ai3ray.errors import EngineError
from ai3ray.server.port import HostedEngine, LocalRay, RayBoot
from ai3ray.settings.model import Settings

from ..ray_serve.http_server import RayServeServer
from .processes import has_exited

CLOSE_S = 5.0
SHUTDOWN_S = 5.0

_log = logging.getLogger("ai3ray.head")


@asynccontextmanager
async def ray_host(boot: RayBoot, settings: Settings, paths: HeadPaths) -> AsyncIterator[HostedEngine]:
    """Host the engine on a local Ray inside the context.

    Raises:
        Ai3Error: raised by `boot`.
    """
    paths.ray_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    thread = _RayThread(boot, settings, paths)
    thread.start()
    try:
        # A cancelled boot is not waited for: the process ends, and the reaper ends Ray.
        local_ray = await thread.booted
    except BaseException:
        thread.release()
        raise
    try:
        yield HostedEngine(local_ray.engine, tuple(local_ray.processes), RayServeServer(settings))
    finally:
        try:
            await asyncio.wait_for(local_ray.engine.aclose(), CLOSE_S)
        except (TimeoutError, EngineError) as error:
            _log.warning("the engine could not be closed: %s", error or f"no answer within {CLOSE_S:g} s")
        # Without gcs or raylet a shutdown would wait for the dead; the reaper ends the rest with this process.
        if not any(has_exited(pid) for pid in local_ray.processes):
            thread.release()
            with suppress(TimeoutError):
                await asyncio.wait_for(thread.finished.wait(), SHUTDOWN_S)


class _RayThread(threading.Thread):
    """A thread that boots Ray, waits for `release`, and shuts Ray down."""

    def __init__(self, boot: RayBoot, settings: Settings, paths: HeadPaths) -> None:
        super().__init__(name="ray", daemon=True)
        self._boot, self._settings, self._paths = boot, settings, paths
        self._loop = asyncio.get_running_loop()
        self._released = threading.Event()
        self.booted: asyncio.Future[LocalRay] = self._loop.create_future()
        self.finished = asyncio.Event()

    def release(self) -> None:
        """Let the thread shut Ray down."""
        self._released.set()

    def run(self) -> None:
        """Boot Ray, wait for `release`, shut Ray down."""
        try:
            local_ray = self._boot(self._settings, temp_dir=self._paths.ray_dir)
        except Exception as error:  # noqa: BLE001 - the edge of the thread: passed to the awaiting task
            self._report(error)
            return
        self._report(local_ray)
        self._released.wait()
        try:
            local_ray.shutdown()
        except Exception:  # noqa: BLE001 - the edge of the thread
            _log.exception("Ray did not shut down cleanly")
        self._call_in_loop(self.finished.set)

    def _report(self, outcome: LocalRay | Exception) -> None:
        def settle() -> None:
            if self.booted.done():
                return
            if isinstance(outcome, Exception):
                self.booted.set_exception(outcome)
            else:
                self.booted.set_result(outcome)

        self._call_in_loop(settle)

    def _call_in_loop(self, act: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop is closed, and nothing waits for this any more
            self._loop.call_soon_threadsafe(act)
