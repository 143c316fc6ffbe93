"""What a new provider costs: a table in `ai3.toml` when its wire is known, else one file and one row."""

from __future__ import annotations

from typing import get_args

import pytest

from ai3ray.connect import connect
from ai3ray.domain.call import ModelCall, Reply, Usage
from ai3ray.domain.request import RunRequest
from ai3ray.errors import MissingKey
from ai3ray.providers.build import ADAPTERS, Adapter, build_provider
from ai3ray.providers.failures.translate import ProviderAccount
from ai3ray.providers.port import OnText
from ai3ray.settings.load import load_settings
from ai3ray.settings.model import ProviderSettings, Wire

LAB = """
[providers.lab]
wire = "{wire}"
base_url = "{url}"
models = ["{model}"]
"""


class ReversingChat:
    """An example adapter, as a contributor would write it: its provider answers with the prompt backwards."""

    def __init__(self, account: ProviderAccount) -> None:
        self.account = account

    async def send(self, call: ModelCall, on_text: OnText | None = None) -> Reply:
        text = call.prompt.messages[-1].text[::-1]
        if on_text is not None:
            on_text(text)
        return Reply(text=text, finish="stop", usage=Usage(input_tokens=1, output_tokens=1), model=call.model)

    async def aclose(self) -> None:
        pass


async def run(home, toml: str, request: RunRequest):
    """Run a request in this process with nothing configured but these tables."""
    (home / "ai3.toml").write_text(toml)
    env = {"AI3_HOME": str(home)}
    settings = load_settings(env=env, cwd=home)
    async with connect(settings, env, inline=True, notify=lambda line: None) as client:
        return await client.run(request)


@pytest.mark.parametrize(
    ("wire", "address", "model"),
    [("openai", "OPENAI_BASE_URL", "gpt-6-luna"), ("anthropic", "ANTHROPIC_BASE_URL", "claude-haiku-5-5")],
)
async def test_a_provider_of_a_known_wire_is_a_table_in_a_file(home_folder, simulator, wire, address, model):
    toml = LAB.format(wire=wire, url=simulator.env()[address], model=model)
    result = await run(home_folder, toml, RunRequest(prompt="Compare two rivers"))
    assert (result.status, bool(result.output)) == ("succeeded", True)
    assert {(task.provider, task.model) for task in result.tasks} == {("lab", f"lab/{model}")}
    assert len(simulator.ledger.calls) == result.stats.calls


async def test_an_adapter_is_a_file_and_a_row(home_folder, monkeypatch):
    row = Adapter(build=lambda setup: ReversingChat(setup.account()))
    monkeypatch.setitem(ADAPTERS, "openai", row)
    plan = {"tasks": [{"id": "t1", "prompt": "abc"}]}
    toml = LAB.format(wire="openai", url="http://lab.example/v1", model="lab-1")
    result = await run(home_folder, toml, RunRequest(plan=plan, verify=False))
    assert (result.status, result.tasks[0].model) == ("succeeded", "lab/lab-1")
    assert "cba" in result.output


def test_a_row_says_where_the_vendor_is_and_what_an_account_lacks(monkeypatch):
    row = Adapter(build=lambda setup: ReversingChat(setup.account()), vendor_url="https://api.lab.example")
    monkeypatch.setitem(ADAPTERS, "openai", row)
    chat = build_provider("lab", ProviderSettings(api_key_env="LAB_KEY"), {"LAB_KEY": "k"})
    assert isinstance(chat, ReversingChat)
    assert chat.account == ProviderAccount("lab", "https://api.lab.example", "k")
    with pytest.raises(MissingKey, match="LAB_KEY"):
        build_provider("lab", ProviderSettings(api_key_env="LAB_KEY"), {})


def test_every_wire_that_a_file_may_name_has_a_row():
    assert set(get_args(Wire)) == set(ADAPTERS)
