"""From a provider's settings and the environment to the adapter that speaks to it."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from ai3ray.errors import MissingKey, SettingsError
from ai3ray.providers.anthropic import AnthropicChat
from ai3ray.providers.embedded.adapter import EmbeddedChat
from ai3ray.providers.openai import OpenAIChat
from ai3ray.providers.port import ChatModel
from ai3ray.providers.scripted import ScriptedChat
from ai3ray.settings.configured import configured_providers, local_model, provider_url
from ai3ray.settings.local_model import LocalModel
from ai3ray.settings.model import ProviderSettings, Settings

NO_KEY = "no-key"
"""Sent where an address was set and no key: the SDKs insist on one, such servers do not."""

VENDOR_URL = {
    "anthropic": "https://api.anthropic.com",
    "openai": "https://api.openai.com/v1",
}
"""Where the vendor of each wire listens."""


def is_configured(name: str, settings: ProviderSettings, env: Mapping[str, str]) -> bool:
    """Whether it can be called: its key is set, or its base URL is, or it needs no key.

    Args:
        name: the provider's name in the configuration.
        settings: its table.
        env: the environment, `.env` included.
    """
    return name in configured_providers(Settings(providers={name: settings}), env)


SDKS = {"anthropic": "anthropic", "openai": "openai", "local": "openai"}
"""The package behind each wire."""


def import_sdks(wires: Iterable[str]) -> None:
    """Import the SDKs of these wires, in this order; takes seconds, so it is meant for a thread."""
    for wire in dict.fromkeys(wires):
        if wire in SDKS:
            importlib.import_module(SDKS[wire])


def build_provider(
    name: str, settings: ProviderSettings, env: Mapping[str, str], files: LocalModel | None = None
) -> ChatModel:
    """The adapter for a provider. Makes no connection, starts no process and imports no SDK yet.

    Args:
        name: the provider's name in the configuration.
        settings: its table.
        env: the environment, `.env` included.
        files: the embedded model's; only the `local` wire needs them.

    Raises:
        MissingKey: neither its key nor its base URL is set; names the variable.
        SettingsError: key or base URL cannot be used.
    """
    if settings.wire == "scripted":
        return ScriptedChat(provider=name)
    if settings.wire == "local":
        return EmbeddedChat(provider=name, files=files or local_model(Settings()))
    if not is_configured(name, settings, env) and settings.api_key_env:
        raise MissingKey(f"provider {name!r} has no key: set {settings.api_key_env}", settings.api_key_env)
    key, url = _key(settings, env), _url(name, settings, env)
    if settings.wire == "anthropic":
        return AnthropicChat(provider=name, api_key=key, base_url=url)
    return OpenAIChat(provider=name, api_key=key, base_url=url)


def _key(settings: ProviderSettings, env: Mapping[str, str]) -> str:
    key = env.get(settings.api_key_env or "", "").strip()
    if not key.isascii() or not key.isprintable() or " " in key:
        name = settings.api_key_env
        raise SettingsError(f"{name} holds characters that no key has, such as a space or a line break", name)
    return key or NO_KEY


def _url(name: str, settings: ProviderSettings, env: Mapping[str, str]) -> str:
    # A server that needs no key is not the vendor's: it has to say where it is.
    vendor = VENDOR_URL.get(settings.wire) if settings.api_key_env else None
    url = (provider_url(settings, env) or vendor or "").rstrip("/")
    if not _is_address(url):
        source = settings.base_url_env or f"providers.{name}.base_url"
        raise SettingsError(f"provider {name!r} needs an http or https address without a login: set {source}", source)
    # Anthropic's SDK appends /v1/messages itself; people copy either form.
    return url.removesuffix("/v1") if settings.wire == "anthropic" else url


def _is_address(url: str) -> bool:
    # A login in the address would want the header that the key has.
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc
