from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from ai3ray.server.app import build_app
from ai3ray.server.engine_gate import EngineGate
from tests.server.memory import MemoryEngine


@pytest.fixture
async def engine() -> AsyncIterator[MemoryEngine]:
    engine = MemoryEngine()
    yield engine
    await engine.aclose()


@pytest.fixture
def gate(engine):
    return EngineGate(engine)


@pytest.fixture
async def http(gate) -> AsyncIterator[httpx.AsyncClient]:
    """The app without a socket; a fault in it answers 500 instead of ending the test."""
    transport = httpx.ASGITransport(app=build_app(gate), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
        yield client


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose sockets have short names; pytest's own is too long for some systems."""
    with tempfile.TemporaryDirectory(prefix="ai3t-", dir="/tmp") as folder:
        yield Path(folder)
