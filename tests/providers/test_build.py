"""Which adapter a provider gets, with which key and address."""

import subprocess
import sys

import pytest

from ai3ray.errors import MissingKey, SettingsError
from ai3ray.providers.anthropic import AnthropicChat
from ai3ray.providers.build import build_provider, is_configured
from ai3ray.providers.embedded.adapter import EmbeddedChat
from ai3ray.providers.openai import OpenAIChat
from ai3ray.providers.scripted import ScriptedChat
from ai3ray.settings.embedded_files import EmbeddedModelFiles
from ai3ray.settings.model import ProviderSettings

from .conftest import TABLES, asks

LAB = ProviderSettings(base_url="http://127.0.0.1:8001/v1", models=("qwen3-8b",))


@pytest.mark.parametrize(
    ("name", "env", "kind", "host"),
    [
        ("anthropic", {"ANTHROPIC_API_KEY": "k"}, AnthropicChat, "api.anthropic.com"),
        ("anthropic", {"ANTHROPIC_BASE_URL": "http://127.0.0.1:1/v1/"}, AnthropicChat, "127.0.0.1:1"),
        ("openai", {"OPENAI_API_KEY": " k\n"}, OpenAIChat, "api.openai.com"),
        ("xai", {"XAI_BASE_URL": "https://proxy.example/xai/v1"}, OpenAIChat, "proxy.example"),
    ],
)
def test_a_key_or_an_address_is_enough(name, env, kind, host):
    assert is_configured(name, TABLES[name], env)
    chat = build_provider(name, TABLES[name], env)
    assert repr(chat) == f"{kind.__name__}({name!r}, {host!r})"


@pytest.mark.parametrize("env", [{}, {"OPENAI_API_KEY": "  ", "OPENAI_BASE_URL": ""}])
def test_a_provider_without_key_names_the_variable(env):
    assert not is_configured("openai", TABLES["openai"], env)
    with pytest.raises(MissingKey, match="OPENAI_API_KEY"):
        build_provider("openai", TABLES["openai"], env)


def test_a_server_of_ones_own_needs_only_its_address():
    assert is_configured("lab", LAB, {})
    assert repr(build_provider("lab", LAB, {})) == "OpenAIChat('lab', '127.0.0.1:8001')"


async def test_an_address_without_a_key_is_called_with_a_placeholder(sim):
    chat = build_provider("anthropic", TABLES["anthropic"], {"ANTHROPIC_BASE_URL": sim.env()["ANTHROPIC_BASE_URL"]})
    assert (await chat.send(asks())).finish == "stop"
    await chat.aclose()


@pytest.mark.parametrize("url", ["127.0.0.1:8001", "ftp://x", "http://", "http://[::1", "http://me:secret@x"])
def test_an_address_that_cannot_be_used_is_told_without_its_login(url):
    with pytest.raises(SettingsError, match="OPENAI_BASE_URL") as caught:
        build_provider("openai", TABLES["openai"], {"OPENAI_BASE_URL": url})
    assert "secret" not in str(caught.value)


def test_a_server_without_an_address_is_a_mistake():
    assert not is_configured("lab", ProviderSettings(), {})
    with pytest.raises(SettingsError, match=r"providers\.lab\.base_url"):
        build_provider("lab", ProviderSettings(), {})


@pytest.mark.parametrize("key", ["two words", "line\nbreak", "schlüssel"])
def test_a_key_that_cannot_be_one_is_told_without_it(key):
    with pytest.raises(SettingsError, match="OPENAI_API_KEY") as caught:
        build_provider("openai", TABLES["openai"], {"OPENAI_API_KEY": key})
    assert key not in str(caught.value)


def test_the_scripted_wire_needs_nothing_and_the_local_one_its_files(tmp_path):
    assert is_configured("fake", ProviderSettings(wire="scripted"), {})
    assert isinstance(build_provider("fake", ProviderSettings(wire="scripted"), {}), ScriptedChat)
    assert isinstance(
        build_provider("local", ProviderSettings(wire="local"), {}, EmbeddedModelFiles(tmp_path)), EmbeddedChat
    )


def test_building_loads_no_sdk():
    code = (
        "import sys; from ai3ray.providers.build import build_provider;"
        "from ai3ray.settings.model import ProviderSettings;"
        "build_provider('a', ProviderSettings(wire='anthropic', base_url='http://x'), {});"
        "build_provider('o', ProviderSettings(base_url='http://x'), {});"
        "print({'anthropic', 'openai', 'httpx2', 'aiohttp'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
