"""A fast simulator that all tests of this folder share, and adapters that talk to it."""

from contextlib import asynccontextmanager

import pytest

from ai3ray.domain.call import Message, ModelCall, Prompt, Timeouts
from ai3ray.providers.build import build_provider
from ai3ray.settings.model import ProviderSettings
from ai3ray.simulator import Pace, SimulatorSettings, running_in_thread

TABLES = {
    "anthropic": ProviderSettings(wire="anthropic", api_key_env="ANTHROPIC_API_KEY", base_url_env="ANTHROPIC_BASE_URL"),
    "openai": ProviderSettings(api_key_env="OPENAI_API_KEY", base_url_env="OPENAI_BASE_URL"),
    "xai": ProviderSettings(api_key_env="XAI_API_KEY", base_url_env="XAI_BASE_URL"),
}
MODELS = {"anthropic": "claude-sonnet-5-5", "openai": "gpt-6-luna", "xai": "grok-4.7"}
WIRES = tuple(TABLES)


@pytest.fixture(scope="session")
def _shared():
    pace = Pace(first_token_s=0.002, tokens_per_s=20_000)
    with running_in_thread(SimulatorSettings.load(pace=pace)) as simulator:
        yield simulator


@pytest.fixture
def sim(_shared):
    _shared.reset()
    return _shared


@pytest.fixture
def adapter(sim):
    """`async with adapter("xai") as chat`: the adapter of one provider, closed at the end."""

    @asynccontextmanager
    async def opened(name, **env):
        chat = build_provider(name, TABLES[name], {**sim.env(), **env})
        try:
            yield chat
        finally:
            await chat.aclose()

    return opened


def asks(text="Write a paragraph about rivers", name="anthropic", timeouts=None, **prompt):
    """A call of that provider's model."""
    return ModelCall(
        model=MODELS.get(name, "m"),
        prompt=Prompt(messages=(Message(role="user", text=text),), **prompt),
        timeouts=timeouts or Timeouts(connect_s=5, first_token_s=10, idle_s=10, total_s=20),
    )
