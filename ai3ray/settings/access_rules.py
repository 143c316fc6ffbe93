"""Derive a TCP server's access rules from the settings."""

from __future__ import annotations

import ipaddress
import re

from ai3ray.domain.access import AccessRules, CallerLimits, parse_api_keys
from ai3ray.errors import SettingsError
from ai3ray.settings.model import Settings

_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?|[0-9a-f:]*:[0-9a-f:.]*")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[a-z0-9\[][a-z0-9.:\]-]*")


def access_rules(settings: Settings, host: str) -> AccessRules:
    """Return the access rules of a server that listens on this address.

    Raises:
        SettingsError: the address is open to the network without keys, or a key, host or origin is invalid.
    """
    try:
        keys = parse_api_keys(settings.api_keys or "")
    except ValueError as error:
        raise SettingsError(f"AI3_API_KEYS: {error}") from error
    if not keys and not is_loopback(host):
        raise SettingsError(
            f"listening on {host or 'every address'} requires API keys; set AI3_API_KEYS "
            "(`ai3 keys new NAME` makes one), or listen on 127.0.0.1"
        )
    return AccessRules(
        keys=keys,
        hosts=_hosts(settings, host, keyed=bool(keys)),
        origins=_origins(settings),
        limits=settings.keys,
        usual=CallerLimits(rpm=settings.key_rpm, usd_per_day=settings.key_usd_per_day),
    )


def is_loopback(host: str) -> bool:
    """Return whether only this computer can reach the address; of names, only `localhost` counts."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def host_name(value: str) -> str:
    """Return the name in a `Host` header or a URL's authority, without port, in lower case."""
    value = value.strip().lower()
    if value.startswith("["):
        return value[1:].partition("]")[0]
    return value if value.count(":") > 1 else value.partition(":")[0]


def _hosts(settings: Settings, host: str, *, keyed: bool) -> tuple[str, ...]:
    """Return the allowed names; with keys any name, since a page that reaches us by DNS rebinding has no key."""
    words = _words(settings.allowed_hosts)
    named = [host_name(word) for word in words]
    for word, name in zip(words, named, strict=True):
        if "/" in word or not _HOST.fullmatch(name):
            raise SettingsError(f"AI3_ALLOWED_HOSTS: {word!r} is not a host name such as ai3.example.com")
    if keyed and not named:
        return ()
    return tuple(dict.fromkeys((*_LOOPBACK_NAMES, host_name(host), *named)))


def _origins(settings: Settings) -> tuple[str, ...]:
    origins = tuple(word.lower().rstrip("/") for word in _words(settings.allowed_origins))
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):  # so `*` is refused: it would let every web page in
            raise SettingsError(f"AI3_ALLOWED_ORIGINS: {origin!r} is not an origin such as https://ai3.example.com")
    return origins


def _words(text: str | None) -> list[str]:
    return [word.strip() for word in (text or "").split(",") if word.strip()]
