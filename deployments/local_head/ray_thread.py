"""Ray in one thread that lives as long as the head.

gcs, raylet and monitors ask the kernel for SIGKILL when the *thread* that forked them ends
(PR_SET_PDEATHSIG): a thread that boots Ray and returns takes the cluster with it.
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
    """A local Ray with the engine on it, for the length of the context.

    Raises:
        Ai3Error: what `boot` raised.
    """
    paths.ray_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    thread = _RayThread(boot, settings, paths)
    thread.start()
    try:
        # A boot that is given up is not waited for; the process ends, and its guard ends Ray.
        handle = await thread.booted
    except BaseException:
        thread.release()
        raise
    try:
        yield HostedEngine(handle.engine, tuple(handle.processes), RayServeServer(settings))
    finally:
        await _close(handle)
        # Without gcs or raylet a shutdown would wait for the dead; the rest ends with this process, by its guard.
        if not any(has_exited(pid) for pid in handle.processes):
            thread.release()
            with suppress(TimeoutError):
                await asyncio.wait_for(thread.finished.wait(), SHUTDOWN_S)


async def _close(handle: LocalRay) -> None:
    """Close the engine, if it can still be reached."""
    try:
        await asyncio.wait_for(handle.engine.aclose(), CLOSE_S)
    except (TimeoutError, EngineError) as error:
        _log.warning("the engine could not be closed: %s", error or "it does not answer")


class _RayThread(threading.Thread):
    """Boots Ray, waits to be released, shuts it down: all three in this thread."""

    def __init__(self, boot: RayBoot, settings: Settings, paths: HeadPaths) -> None:
        super().__init__(name="ray", daemon=True)
        self._boot, self._settings, self._paths = boot, settings, paths
        self._loop = asyncio.get_running_loop()
        self._released = threading.Event()
        self.booted: asyncio.Future[LocalRay] = self._loop.create_future()
        self.finished = asyncio.Event()

    def release(self) -> None:
        """Ray is no longer needed."""
        self._released.set()

    def run(self) -> None:
        """The thread's life."""
        try:
            handle = self._boot(self._settings, temp_dir=self._paths.ray_dir)
        except Exception as error:  # noqa: BLE001 - the edge of the thread: handed to whoever awaits
            self._tell(error)
            return
        self._tell(handle)
        self._released.wait()
        try:
            handle.shutdown()
        except Exception:  # noqa: BLE001 - the edge of the thread
            _log.exception("ray did not shut down cleanly")
        self._soon(self.finished.set)

    def _tell(self, outcome: LocalRay | Exception) -> None:
        def settle() -> None:
            if self.booted.done():
                return
            if isinstance(outcome, Exception):
                self.booted.set_exception(outcome)
            else:
                self.booted.set_result(outcome)

        self._soon(settle)

    def _soon(self, act: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop has been closed: nobody waits any more
            self._loop.call_soon_threadsafe(act)
