"""The key of a request: found in its headers, known or not, allowed or not. Nothing here touches the journal."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from ai3ray.domain.access import AccessRules, ApiKey, CallerLimits, Scope, matching_key
from ai3ray.errors import Forbidden, Unauthenticated
from ai3ray.server.access.open_streams import OpenStreams

UNLIMITED = CallerLimits()

_BEARER = b"bearer "


@dataclass(frozen=True, slots=True)
class ApiCaller:
    """Who asks, and whose runs they see."""

    name: str = ""
    """Name of the key: the owner of the runs it starts; empty where no key is asked for."""
    owner: str | None = None
    """Whose runs may be seen; None for everybody's."""
    limits: CallerLimits = UNLIMITED
    """How much may be asked."""


class Access:
    """Decides by key and scope.

    Args:
        rules: the keys; without any, whoever got this far may do everything.
        streams: counts what is held open.
    """

    def __init__(self, rules: AccessRules, streams: OpenStreams | None = None) -> None:
        self.rules = rules
        self.streams = streams or OpenStreams()

    def caller(self, request: Request, scope: Scope) -> ApiCaller:
        """Who asks, if they may.

        Raises:
            Unauthenticated: no key, or one that is not known.
            Forbidden: the key has not this scope.
        """
        if not self.rules.keys:
            return ApiCaller()
        key = self._key(request)
        if not key.allows(scope):
            raise Forbidden(f"the key {key.name!r} has not the scope {scope!r}")
        owner = None if key.allows("admin") else key.name
        return ApiCaller(key.name, owner, self.rules.limits_of(key.name))

    def _key(self, request: Request) -> ApiKey:
        secrets = sent_secrets(request)
        if not secrets:
            raise Unauthenticated("a key is wanted: send it as `Authorization: Bearer KEY`")
        key = matching_key(secrets[0], self.rules.keys) if len(set(secrets)) == 1 else None
        if key is None:
            raise Unauthenticated("this key is not known here")
        return key


def sent_secrets(request: Request) -> list[bytes]:
    """The secrets that a request brings, as bytes: `Authorization: Bearer …` and `x-api-key: …`."""
    found = []
    for name, value in request.scope["headers"]:
        if name == b"authorization" and value[: len(_BEARER)].lower() == _BEARER:
            found.append(value[len(_BEARER) :].strip())
        elif name == b"x-api-key":
            found.append(value.strip())
    return [secret for secret in found if secret]
