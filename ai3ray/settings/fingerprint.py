"""Compare the configurations of two heads without revealing secrets."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from ai3ray.settings.configured import configured_providers, provider_url
from ai3ray.settings.model import Settings

_HEAD_FIELDS = {
    "planner_maxtok",
    "planner_temperature",
    "max_runs",
    "budget_day_usd",
    "local_model",
    "router_preset",
    "runners",
}
_IDENTITY = {"wire", "base_url_env", "api_key_env", "models"}
_LIMITS = {"start", "rpm", "tpm", "itpm", "otpm", "admission"}


def settings_fingerprint(settings: Settings, env: Mapping[str, str], salt: bytes) -> dict[str, Any]:
    """Return what distinguishes two heads, without secrets; it is `config` of `head.json`.

    Args:
        settings: those of the head, or of the command that looks for one.
        env: the environment from `merged_env`.
        salt: at most 64 random bytes of this head, so that equal keys hash differently in another home.
    """
    providers = settings.providers.items()
    keys = {p.api_key_env: env.get(p.api_key_env) for _, p in providers if p.api_key_env}
    tables = {"models": settings.models, "router": settings.router}
    return {
        "keys": {variable: _hash(value, salt) if value else None for variable, value in keys.items()},
        "base_urls": {name: _without_login(provider_url(p, env)) for name, p in providers},
        "providers": {name: p.model_dump(include=_IDENTITY) for name, p in providers},
        "configured": list(configured_providers(settings, env)),
        "limits": {
            name: {"max_concurrency": settings.provider_limit(name), **p.model_dump(include=_LIMITS)}
            for name, p in providers
        },
        "settings": settings.model_dump(mode="json", include=_HEAD_FIELDS),
        "tables": _hash(json.dumps(tables, sort_keys=True, default=str)),
    }


def _hash(text: str, salt: bytes = b"") -> str:
    return hashlib.blake2b(text.encode(), key=salt, digest_size=8).hexdigest()


def _without_login(url: str | None) -> str | None:
    """Return the URL without `user:password@`."""
    if url is None or "@" not in url:
        return url
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
