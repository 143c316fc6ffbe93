"""What makes two heads different, without a secret in it."""

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
    """What makes two heads different, without a secret in it: `config` of `head.json`.

    Args:
        settings: of the head, or of the command that looks for one.
        env: as `merged_env` gives it.
        salt: random bytes of this head, at most 64; the same key has another hash in another home.
    """
    providers = settings.providers.items()
    return {
        "keys": {p.api_key_env: _secret_hash(env.get(p.api_key_env), salt) for _, p in providers if p.api_key_env},
        "base_urls": {name: _without_login(provider_url(p, env)) for name, p in providers},
        "providers": {name: p.model_dump(include=_IDENTITY) for name, p in providers},
        "configured": list(configured_providers(settings, env)),
        "limits": {name: _limits(settings, name) for name in settings.providers},
        "settings": settings.model_dump(mode="json", include=_HEAD_FIELDS),
        "tables": _table_hash({"models": settings.models, "router": settings.router}),
    }


def _limits(settings: Settings, name: str) -> dict[str, int | str | None]:
    return {"max_concurrency": settings.provider_limit(name), **settings.providers[name].model_dump(include=_LIMITS)}


def _secret_hash(value: str | None, salt: bytes) -> str | None:
    return hashlib.blake2b(value.encode(), key=salt, digest_size=8).hexdigest() if value else None


def _table_hash(tables: Mapping[str, Any]) -> str:
    text = json.dumps(tables, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _without_login(url: str | None) -> str | None:
    """The URL without the `user:password@` that some gateways want."""
    if url is None or "@" not in url:
        return url
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
