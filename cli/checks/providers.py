"""Each provider's key, checked by a call that costs nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlsplit

import httpx

from ai3ray.client.client import Client
from ai3ray.errors import Ai3Error, Forbidden, MissingKey, Unauthenticated
from ai3ray.providers.build import ADAPTERS, NO_KEY, build_provider
from ai3ray.settings.configured import configured_providers, provider_url
from ai3ray.settings.model import ProviderSettings

from ..command_context import CommandContext
from .finding import Finding
from .resolving import resolve_host

ANSWER_S = 5.0
"""Seconds a provider or server gets to answer."""
_ANTHROPIC_VERSION = "2023-06-01"


async def check_providers(context: CommandContext) -> list[Finding]:
    """Return a finding per provider, all asked at the same time; with a server, only whether it answers."""
    if context.server or context.settings.server:
        return [await _server(context)]
    tables = context.settings.providers.items()
    async with httpx.AsyncClient(timeout=ANSWER_S) as http:
        checks = (
            _provider(http, name, table, context.env) for name, table in tables if table.wire in ("anthropic", "openai")
        )
        return list(await asyncio.gather(*checks))


def check_usable_providers(context: CommandContext) -> Finding:
    """Return whether any provider can be called."""
    tables = context.settings.providers
    names = configured_providers(context.settings, context.env)
    remedy = f"set one of {', '.join(table.api_key_env for table in tables.values() if table.api_key_env)}"
    if not names:
        return Finding("models from", "fail", "no provider has a key", remedy)
    if all(tables[name].wire == "local" for name in names):
        return Finding("models from", "warn", "only the embedded model", f"for better answers {remedy}")
    return Finding("models from", "ok", ", ".join(names))


async def _provider(http: httpx.AsyncClient, name: str, table: ProviderSettings, env: Mapping[str, str]) -> Finding:
    try:
        build_provider(name, table, env)  # connects to nothing; refuses a key or address that cannot be used
    except MissingKey:
        return Finding(name, "warn", f"no key: {table.api_key_env} is not set", f"export {table.api_key_env}=…")
    except Ai3Error as error:
        return Finding(name, "fail", str(error), f"correct {table.api_key_env or f'[providers.{name}]'}")
    url, headers = _models_request(table, env)
    host = urlsplit(url).netloc
    remedy = f"check the network, or correct {table.base_url_env or f'base_url of [providers.{name}]'}"
    try:
        async with asyncio.timeout(ANSWER_S):
            await resolve_host(url)
            response = await http.get(url, headers=headers)
    except (httpx.TimeoutException, TimeoutError):
        return Finding(name, "fail", f"{host} does not answer within {ANSWER_S:g} s", remedy)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return Finding(name, "fail", f"{host} cannot be reached: {reason}", remedy)
    return _response_finding(name, table, host, response.status_code)


def _models_request(table: ProviderSettings, env: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Return URL and headers of the list of models, as the adapter of this wire would send them."""
    key = env.get(table.api_key_env or "", "").strip() or NO_KEY
    base = (provider_url(table, env) or ADAPTERS[table.wire].vendor_url or "").rstrip("/")
    headers = {"authorization": f"Bearer {key}"}
    if table.wire == "anthropic":
        headers["anthropic-version"] = _ANTHROPIC_VERSION
        base = f"{base.removesuffix('/v1')}/v1"
    return f"{base}/models", headers


def _response_finding(name: str, table: ProviderSettings, host: str, status: int) -> Finding:
    variable = table.api_key_env or "the key"
    if status in (401, 403):
        message = f"{host} refuses the key in {variable} ({status})"
        return Finding(name, "fail", message, f"set {variable} to a valid key")
    if status == 429 or status >= 500:
        return Finding(name, "warn", f"{host} answers with status {status} at the moment", "try again later")
    if status >= 300:
        message = f"{host} answers, but has no list of models (status {status})"
        return Finding(name, "warn", message, f"when runs fail there, correct {table.base_url_env or 'its base_url'}")
    return Finding(name, "ok", f"{host} answers{f' and takes the key in {variable}' if table.api_key_env else ''}")


async def _server(context: CommandContext) -> Finding:
    url = context.server or context.settings.server
    try:
        async with Client(url, key=context.settings.server_key) as client, asyncio.timeout(ANSWER_S):
            health = await client.health()
            with suppress(Forbidden):  # a key that may not read is still a valid key
                await client.runs(limit=1)
    except Unauthenticated as error:
        return Finding("server", "fail", str(error), "ask its operator for a key ('ai3 keys new' makes one)")
    except (TimeoutError, Ai3Error) as error:
        reason = str(error) or f"no answer within {ANSWER_S:g} s"
        return Finding("server", "fail", f"{url}: {reason}", "correct --server or AI3_SERVER, or start ai3 serve there")
    return Finding("server", "ok", f"{url} is {health.get('status')}, version {health.get('version')}")
