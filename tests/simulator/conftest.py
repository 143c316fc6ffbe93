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
    async with anthropic_client(sim) as client:
        yield client


@pytest.fixture
async def openai(sim):
    async with openai_client(sim) as client:
        yield client


def anthropic_client(sim, key="k"):
    """Anthropic's own client, on the transport that ai3ray uses."""
    from anthropic import AsyncAnthropic, DefaultAioHttpClient

    return AsyncAnthropic(
        api_key=key,
        base_url=sim.base_url,
        max_retries=0,
        open_telemetry=False,
        http_client=DefaultAioHttpClient(),
    )


def openai_client(sim, key="k"):
    """OpenAI's own client, on the transport that ai3ray uses."""
    from openai import AsyncOpenAI, DefaultAioHttpClient

    return AsyncOpenAI(api_key=key, base_url=f"{sim.base_url}/v1", max_retries=0, http_client=DefaultAioHttpClient())


def says(text="Write a paragraph about rivers"):
    """The messages of a request in either format."""
    return [{"role": "user", "content": text}]
