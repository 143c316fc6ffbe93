"""Find the callable providers and their addresses."""

from __future__ import annotations

from collections.abc import Mapping

from ai3ray.settings.embedded_files import EmbeddedModelFiles
from ai3ray.settings.model import ProviderSettings, Settings


def provider_url(provider: ProviderSettings, env: Mapping[str, str]) -> str | None:
    """Return a provider's address from its variable, else its table; None for the vendor's own."""
    return (env.get(provider.base_url_env or "") or "").strip() or provider.base_url


def configured_providers(settings: Settings, env: Mapping[str, str]) -> tuple[str, ...]:
    """Return the providers with a key or a user's address, and those that need neither.

    The embedded provider counts once its files are installed.
    """
    return tuple(name for name, provider in settings.providers.items() if _is_configured(provider, env, settings))


def embedded_model_files(settings: Settings) -> EmbeddedModelFiles:
    """Return the embedded model's files."""
    return EmbeddedModelFiles(home=settings.home.expanduser(), given=settings.local_model)


def _is_configured(provider: ProviderSettings, env: Mapping[str, str], settings: Settings) -> bool:
    if provider.wire == "scripted":
        return True
    if provider.wire == "local":
        return embedded_model_files(settings).remedy() is None
    if provider.base_url_env and (env.get(provider.base_url_env) or "").strip():
        return True
    if provider.api_key_env:
        return bool((env.get(provider.api_key_env) or "").strip())
    return provider.base_url is not None
