from __future__ import annotations

import asyncio
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from ai3ray.server.app import build_app
from ai3ray.server.engine_gate import EngineGate
from ai3ray.server.unix_socket import socket_server
from tests.server.memory import MemoryEngine

AI3_TOML = """
max_concurrency = 4
verify = false

[providers.scripted]
wire = "scripted"
models = ["echo"]
"""


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose sockets have short names; pytest's own is too long for some systems."""
    with tempfile.TemporaryDirectory(prefix="ai3t-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture
async def engine() -> AsyncIterator[MemoryEngine]:
    engine = MemoryEngine()
    yield engine
    await engine.aclose()


@pytest.fixture
async def server(engine) -> AsyncIterator[str]:
    """URL of the app over the memory engine."""
    gate = EngineGate(engine)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    app = socket_server(build_app(gate))
    serving = asyncio.create_task(app.serve(sockets=[listener]))
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    gate.close()
    app.should_exit = True
    await serving


@pytest.fixture
def home(short_path, monkeypatch) -> Path:
    """A home whose only provider echoes, and an environment that has nothing else to say."""
    home = short_path / "home"
    home.mkdir(mode=0o700)
    (home / "ai3.toml").write_text(AI3_TOML)
    for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "XAI_API_KEY", "AI3_SERVER", "AI3_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AI3_HOME", str(home))
    monkeypatch.chdir(short_path)
    return home
