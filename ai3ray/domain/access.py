"""API keys, their scopes and their limits."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from typing import Literal, get_args

from pydantic import Field

from ai3ray.domain.frozen import Frozen

Scope = Literal["run", "read", "sql", "admin"]
"""`run` starts and stops runs, `read` shows them, `sql` queries the journal, `admin` allows all on all runs."""

SCOPES: tuple[Scope, ...] = get_args(Scope)
SECRET_PREFIX = "ai3_"  # noqa: S105 - a marker of secrets, not a secret
SECRET_BYTES = 32

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_NAME_RULE = "a key's name has 1 to 64 letters, digits, '_', '.' and '-', a letter or digit first"
_DIGEST = re.compile(r"[0-9a-f]{64}")
_BETWEEN_SCOPES = re.compile(r"[+|/\s]+")


class ApiKey(Frozen):
    """An API key without its secret, as the server stores it."""

    name: str
    """The `owner` of the runs it starts; several keys may share it."""
    sha256: str
    """Of the secret, in hex."""
    scopes: frozenset[Scope]

    def allows(self, scope: Scope) -> bool:
        """Return True if the key has this scope, or `admin`."""
        return scope in self.scopes or "admin" in self.scopes

    def entry(self) -> str:
        """Return the key as an entry of `AI3_API_KEYS`."""
        return f"{self.name}:{self.sha256}:{'+'.join(scope for scope in SCOPES if scope in self.scopes)}"


class CallerLimits(Frozen):
    """The limits of one key; `[keys.NAME]` in `ai3.toml`."""

    rpm: int | None = Field(default=None, ge=1)
    """Requests per minute; no limit when absent."""
    usd_per_day: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """US dollars per UTC day after which new runs are refused; no limit when absent."""


class AccessRules(Frozen):
    """Access to a server on TCP; without keys, only from this computer."""

    keys: tuple[ApiKey, ...] = ()
    """No key is required when empty."""
    hosts: tuple[str, ...] = ()
    """Allowed host names, in lower case and without port; all when empty."""
    origins: tuple[str, ...] = ()
    """Web origins that may call it, besides its own."""
    limits: dict[str, CallerLimits] = {}
    """By name of the key."""
    usual: CallerLimits = CallerLimits()
    """Limits of all other keys, and defaults of single ones."""

    def limits_of(self, name: str) -> CallerLimits:
        """Return the limits of the keys of this name."""
        own = self.limits.get(name)
        if own is None:
            return self.usual
        return self.usual.model_copy(update=own.model_dump(exclude_none=True))


def parse_api_keys(text: str) -> tuple[ApiKey, ...]:
    """Parse `AI3_API_KEYS`: `NAME:SHA256:SCOPES`, separated by commas.

    A key's scopes are separated by `+`, or by commas: a piece without a colon is another scope of the key before it.

    Raises:
        ValueError: an entry is invalid; the message names it by name or number, and never quotes it.
    """
    entries: list[list[str]] = []
    for piece in (piece.strip() for piece in text.split(",")):
        if not piece:
            continue
        if ":" in piece or not entries:
            entries.append(piece.split(":"))
        else:
            entries[-1][-1] += f"+{piece}"
    return tuple(_key(number, fields) for number, fields in enumerate(entries, 1))


def new_api_key(name: str, scopes: Iterable[str]) -> tuple[str, ApiKey]:
    """Return a new random secret, and the key with its hash.

    Raises:
        ValueError: the name or a scope is invalid.
    """
    key = ApiKey(name=checked_name(name), sha256="", scopes=checked_scopes(scopes))
    secret = SECRET_PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    return secret, key.model_copy(update={"sha256": digest(secret.encode())})


def digest(secret: bytes) -> str:
    """Return the SHA-256 in hex; 256 random bits need neither salt nor a slow hash."""
    return hashlib.sha256(secret).hexdigest()


def matching_key(secret: bytes, keys: Iterable[ApiKey]) -> ApiKey | None:
    """Return the key of this secret, or None, comparing every key in constant time."""
    presented, found = digest(secret), None
    for key in keys:
        if hmac.compare_digest(presented, key.sha256):
            found = key
    return found


def checked_name(name: str) -> str:
    """Return the name of a key if it is valid, else raise ValueError."""
    if not _NAME.fullmatch(name):
        raise ValueError(_NAME_RULE)
    return name


def checked_scopes(scopes: Iterable[str]) -> frozenset[Scope]:
    """Return the scopes of a key; raise ValueError for none, or an unknown one."""
    found: set[Scope] = set()
    for word in scopes:
        scope = next((scope for scope in SCOPES if scope == word.strip()), None)
        if scope is None:
            raise ValueError(f"a scope is one of {', '.join(SCOPES)}, not {word.strip()[:20]!r}")
        found.add(scope)
    if not found:
        raise ValueError(f"a key needs a scope: {', '.join(SCOPES)}")
    return frozenset(found)


def _key(number: int, fields: list[str]) -> ApiKey:
    """Parse one entry. Errors do not quote it: a wrong part might be the secret."""
    if len(fields) != 3:
        raise ValueError(f"key {number} is not of the form NAME:SHA256:SCOPES; `ai3 keys new NAME` makes one")
    name, sha256, scopes = (field.strip() for field in fields)
    words = {word for word in _BETWEEN_SCOPES.split(scopes) if word}
    if not _NAME.fullmatch(name):
        raise ValueError(f"key {number}: {_NAME_RULE}")
    if not _DIGEST.fullmatch(sha256.lower()):
        raise ValueError(f"key {name!r}: its second part is the SHA-256 of its secret, 64 hex digits")
    if not words or not words <= set(SCOPES):
        raise ValueError(f"key {name!r}: its third part is its scopes, joined by '+': {', '.join(SCOPES)}")
    return ApiKey(name=name, sha256=sha256.lower(), scopes=checked_scopes(words))
