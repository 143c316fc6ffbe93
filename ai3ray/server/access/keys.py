"""Authentication and authorisation of requests by API key."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from ai3ray.domain.access import AccessRules, CallerLimits, Scope, matching_key
from ai3ray.errors import Forbidden, Unauthenticated
from ai3ray.server.access.open_streams import OpenStreams

UNLIMITED = CallerLimits()

_BEARER = b"bearer "


@dataclass(frozen=True, slots=True)
class ApiCaller:
    """The caller of an endpoint."""

    name: str = ""
    """Name of the key, and owner of the runs it starts; empty without keys."""
    owner: str | None = None
    """The owner of the runs that the caller may see; None for all runs."""
    limits: CallerLimits = UNLIMITED


class Access:
    """Access by key and scope.

    Args:
        rules: the keys and their limits; without keys, every caller may do everything.
        streams: counts the open streams.
    """

    def __init__(self, rules: AccessRules, streams: OpenStreams | None = None) -> None:
        self.rules = rules
        self.streams = streams or OpenStreams()

    def caller(self, request: Request, scope: Scope) -> ApiCaller:
        """Return the caller of a request.

        Raises:
            Unauthenticated: no key, or an unknown one.
            Forbidden: the key lacks this scope.
        """
        if not self.rules.keys:
            return ApiCaller()
        secrets = sent_secrets(request)
        if not secrets:
            raise Unauthenticated("an API key is required; send it as `Authorization: Bearer KEY`")
        key = matching_key(secrets[0], self.rules.keys) if len(set(secrets)) == 1 else None
        if key is None:
            raise Unauthenticated("unknown API key")
        if not key.allows(scope):
            raise Forbidden(f"API key {key.name!r} lacks the {scope!r} scope")
        owner = None if key.allows("admin") else key.name
        return ApiCaller(key.name, owner, self.rules.limits_of(key.name))


def sent_secrets(request: Request) -> list[bytes]:
    """Return the secrets in `Authorization: Bearer …` and `x-api-key: …`."""
    found = []
    for name, value in request.scope["headers"]:
        if name == b"authorization" and value[: len(_BEARER)].lower() == _BEARER:
            found.append(value[len(_BEARER) :].strip())
        elif name == b"x-api-key":
            found.append(value.strip())
    return [secret for secret in found if secret]
