"""Build a provider's adapter from its settings and the environment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import NamedTuple
from urllib.parse import urlsplit

from ai3ray.errors import MissingKey, SettingsError
from ai3ray.providers.anthropic import AnthropicChat
from ai3ray.providers.embedded.adapter import EmbeddedChat
from ai3ray.providers.failures.translate import ProviderAccount
from ai3ray.providers.openai import OpenAIChat
from ai3ray.providers.port import ChatModel
from ai3ray.providers.scripted import ScriptedChat
from ai3ray.settings.configured import configured_providers, embedded_model_files, provider_url
from ai3ray.settings.embedded_files import EmbeddedModelFiles
from ai3ray.settings.model import ProviderSettings, Settings, Wire

NO_KEY = "no-key"
"""A placeholder for a base URL without a key, because the SDKs require one."""


@dataclass(frozen=True)
class ProviderSetup:
    """The configuration of one provider."""

    name: str
    settings: ProviderSettings
    env: Mapping[str, str]
    files: EmbeddedModelFiles

    def account(self) -> ProviderAccount:
        """Return the base URL and the key. Raises MissingKey and SettingsError, naming the variable."""
        key_variable = self.settings.api_key_env
        if not is_configured(self.name, self.settings, self.env) and key_variable:
            raise MissingKey(f"provider {self.name!r} has no key: set {key_variable}", key_variable)
        key = self._key() or NO_KEY
        return ProviderAccount(self.name, self._base_url(), key)

    def _key(self) -> str:
        variable = self.settings.api_key_env
        key = self.env.get(variable or "", "").strip()
        if not key.isascii() or not key.isprintable() or " " in key:
            raise SettingsError(
                f"{variable} is not a valid key: it contains a space, a line break or a non-ASCII character", variable
            )
        return key

    def _base_url(self) -> str:
        # Without a key variable the server is not the vendor's own, and its address must be configured.
        vendor_url = ADAPTERS[self.settings.wire].vendor_url if self.settings.api_key_env else None
        url = (provider_url(self.settings, self.env) or vendor_url or "").rstrip("/")
        if not _is_address(url):
            source = self.settings.base_url_env or f"providers.{self.name}.base_url"
            raise SettingsError(
                f"provider {self.name!r} needs an http or https base URL without user name and password: set {source}",
                source,
            )
        return url


class Adapter(NamedTuple):
    """The adapter of one wire."""

    build: Callable[[ProviderSetup], ChatModel]
    import_sdk: Callable[[], object] | None = None
    vendor_url: str | None = None


ADAPTERS: dict[Wire, Adapter] = {
    "anthropic": Adapter(
        build=lambda setup: AnthropicChat(setup.account()),
        import_sdk=lambda: import_module("anthropic"),
        vendor_url="https://api.anthropic.com",
    ),
    "openai": Adapter(
        build=lambda setup: OpenAIChat(setup.account()),
        import_sdk=lambda: import_module("openai"),
        vendor_url="https://api.openai.com/v1",
    ),
    "local": Adapter(
        build=lambda setup: EmbeddedChat(provider=setup.name, files=setup.files),
        import_sdk=lambda: import_module("openai"),
    ),
    "scripted": Adapter(build=lambda setup: ScriptedChat(provider=setup.name)),
}
"""One row per wire that `[providers.NAME]` may name."""


def build_provider(
    name: str, settings: ProviderSettings, env: Mapping[str, str], files: EmbeddedModelFiles | None = None
) -> ChatModel:
    """Build a provider's adapter without opening a connection, starting a process or importing an SDK.

    Args:
        name: the provider's name in the configuration.
        settings: its table.
        env: the environment, `.env` included.
        files: the embedded model's; needed by the `local` wire.

    Raises:
        MissingKey: neither its key nor its base URL is set.
        SettingsError: its key or base URL is invalid.
    """
    return ADAPTERS[settings.wire].build(ProviderSetup(name, settings, env, files or embedded_model_files(Settings())))


def is_configured(name: str, settings: ProviderSettings, env: Mapping[str, str]) -> bool:
    """Return whether the provider has a key or a base URL, or needs neither."""
    return name in configured_providers(Settings(providers={name: settings}), env)


def import_sdks(wires: Iterable[Wire]) -> None:
    """Import the SDKs of these wires, in order; it takes seconds, so call it in a thread."""
    for wire in dict.fromkeys(wires):
        import_sdk = ADAPTERS[wire].import_sdk
        if import_sdk is not None:
            import_sdk()


def _is_address(url: str) -> bool:
    # A login in the URL would claim the same header as the key.
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc
