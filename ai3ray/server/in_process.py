"""The app in this process, without Ray, for `--inline`."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from ai3ray.executor.inline import open_inline
from ai3ray.executor.port import Engine
from ai3ray.server.app import build_app
from ai3ray.server.engine_gate import EngineGate
from ai3ray.server.port import HostedEngine
from ai3ray.server.unix_socket import listen, socket_server
from ai3ray.settings.model import Settings


@asynccontextmanager
async def inline_host(settings: Settings, env: Mapping[str, str]) -> AsyncIterator[HostedEngine]:
    """Host the inline engine."""
    async with open_inline(settings, env) as engine:
        yield HostedEngine(engine)


@asynccontextmanager
async def inline_server(settings: Settings, env: Mapping[str, str]) -> AsyncIterator[Path]:
    """Serve the inline engine on a private Unix socket and yield its path.

    Raises:
        JournalLocked: another process owns this home's journal.
    """
    async with inline_host(settings, env) as hosted, serve_engine(hosted.engine) as path:
        yield path


@asynccontextmanager
async def serve_engine(engine: Engine) -> AsyncIterator[Path]:
    """Serve an engine on a private Unix socket and yield its path."""
    gate = EngineGate(engine)
    server = socket_server(build_app(gate))
    with tempfile.TemporaryDirectory(prefix="ai3-", dir="/tmp") as folder:
        path = Path(folder) / "s"
        serving = asyncio.create_task(server.serve(sockets=[listen(path)]))
        try:
            yield path
        finally:
            gate.close()
            server.should_exit = True
            await serving
