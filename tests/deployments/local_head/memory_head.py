"""A head without Ray, for tests: `python -P memory_head.py [boot-error | child | watched]`."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ai3ray.client.head_paths import HeadPaths
from ai3ray.errors import EngineError
from ai3ray.server.port import HostedEngine
from deployments.local_head.head_process import read_settings, run_head
from tests.server.memory import MemoryEngine

SLEEPER = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"


@asynccontextmanager
async def host(paths: HeadPaths) -> AsyncIterator[HostedEngine]:
    """An engine in memory; by the first argument it fails, or has a child in a session of its own."""
    what = sys.argv[1] if len(sys.argv) > 1 else ""
    if what == "boot-error":
        raise EngineError("the boot failed as it was asked to")
    watched: tuple[int, ...] = ()
    if what in ("child", "watched"):
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", SLEEPER, start_new_session=True)
        (paths.home / "child.pid").write_text(str(child.pid))
        watched = (child.pid,) if what == "watched" else ()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # what a library that is booted here might do
    engine = MemoryEngine()
    yield HostedEngine(engine, watched)
    await engine.aclose()


if __name__ == "__main__":
    run_head(read_settings(), host)
