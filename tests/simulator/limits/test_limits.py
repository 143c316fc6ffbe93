"""Limits refuse what is over them, and prices are those of the table."""

import asyncio

import httpx
import pytest

from ai3ray.errors import SettingsError
from ai3ray.simulator import Pace, Price, SimulatorSettings, running
from ai3ray.simulator.simulation import Simulation
from ai3ray.simulator.wires.parsed_request import ParsedRequest


async def test_over_the_wire_the_third_call_at_once_is_429():
    pace = Pace(first_token_s=0.5, first_token_sigma=0)
    settings = SimulatorSettings.load(pace=pace, limits={"openai": {"concurrency": 2}})
    async with running(settings) as sim, httpx.AsyncClient(base_url=sim.base_url) as client:
        body = {"model": "gpt-6-luna", "messages": [{"role": "user", "content": "Hi"}], "max_completion_tokens": 1}
        key = {"authorization": "Bearer k"}
        calls = [client.post("/v1/chat/completions", json=body, headers=key) for _ in range(3)]
        replies = await asyncio.gather(*calls)
    assert sorted(reply.status_code for reply in replies) == [200, 200, 429]
    refused = next(reply for reply in replies if reply.status_code == 429)
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"


def test_long_requests_have_long_prices():
    price = Price(input=2, output=10, long_from=1000, long_input=4, long_output=15)
    assert price.cost(999, 100) == pytest.approx((999 * 2 + 100 * 10) / 1e6)
    assert price.cost(1000, 100) == pytest.approx((1000 * 4 + 100 * 15) / 1e6)


def test_the_pace_is_drawn_from_seed_and_prompt():
    def tempo(seed, prompt):
        asked = ParsedRequest("xai", "grok-4.7", False, "", (("user", prompt),), 9)
        return Simulation(SimulatorSettings.load(seed=seed)).answer_speed(asked)

    assert tempo(1, "a") == tempo(1, "a")
    assert len({tempo(1, "a"), tempo(2, "a"), tempo(1, "b")}) == 3
    firsts = sorted(tempo(1, str(n)).first_token_s for n in range(101))
    assert 0.04 < firsts[50] < 0.06


def test_settings_come_from_the_packaged_file_and_what_is_said_otherwise():
    settings = SimulatorSettings.load(seed=9, pace={"tokens_per_s": 10})
    assert (settings.seed, settings.pace.tokens_per_s, settings.pace.first_token_s) == (9, 10, 0.05)
    assert settings.prices["claude-opus-5-5"] == Price(input=4, output=20, cache_read=0.2, cache_write=5)


def test_wrong_settings_are_named(tmp_path):
    with pytest.raises(SettingsError, match=r"pace\.tokens_per_s"):
        SimulatorSettings.load(pace={"tokens_per_s": 0})
    with pytest.raises(SettingsError, match="colour"):
        SimulatorSettings.load(colour=1)
    broken = tmp_path / "sim.toml"
    broken.write_text("seed = ")
    with pytest.raises(SettingsError, match=r"sim\.toml"):
        SimulatorSettings.load(broken)
    with pytest.raises(SettingsError, match="nowhere"):
        SimulatorSettings.load(tmp_path / "nowhere.toml")
