"""A fast simulator that all tests of this folder share, and the official SDKs pointed at it."""

import httpx
import pytest

from ai3ray.simulator import Pace, SimulatorSettings, running_in_thread


@pytest.fixture(scope="session")
def _shared():
    with running_in_thread(SimulatorSettings.load(pace=Pace(first_token_s=0.002, tokens_per_s=20_000))) as simulator:
        yield simulator


@pytest.fixture
def sim(_shared):
    _shared.reset()
    return _shared


@pytest.fixture
def http(sim):
    with httpx.Client(base_url=sim.base_url, headers={"authorization": "Bearer k"}, timeout=30) as client:
        yield client


@pytest.fixture
async def anthropic(sim):
    from anthropic import AsyncAnthropic

    async with AsyncAnthropic(api_key="k", base_url=sim.base_url, max_retries=0, open_telemetry=False) as client:
        yield client


@pytest.fixture
async def openai(sim):
    from openai import AsyncOpenAI

    async with AsyncOpenAI(api_key="k", base_url=f"{sim.base_url}/v1", max_retries=0) as client:
        yield client


def says(text="Write a paragraph about rivers"):
    """The messages of a request in either format."""
    return [{"role": "user", "content": text}]
