"""The one place where foreign errors become errors of our tree."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ai3ray.domain.call import ModelCall
from ai3ray.errors import ProviderError
from ai3ray.providers.failures.classify import classify
from ai3ray.providers.failures.error_body import parse_error_body
from ai3ray.providers.failures.transport_errors import transport_failure
from ai3ray.providers.rates import rate_headers, retry_after
from ai3ray.providers.reply_parser import ErrorInBody

MAX_MESSAGE_CHARS = 500
"""Characters kept of a provider's own words."""

_KEY_LIKE = re.compile(r"\b(?:sk|xai)-[A-Za-z0-9_-]{8,}|(?<=Bearer )[^\s'\"]{8,}")
_REDACTED = "[key]"
_MAYBE_PAID_STATUS = frozenset({408, 502, 504})
"""A gateway gave up; the model behind it may have worked all the same."""


class Redacted(Exception):
    """Stands in a chain of causes for an error whose text held a key."""


@dataclass(frozen=True)
class ProviderAccount:
    """One provider account, as its errors name it."""

    provider: str
    """The provider's name in the configuration."""
    host: str
    """Where it listens: host and port."""
    secret: str = field(repr=False)
    """The key, which must appear in no message."""

    @classmethod
    def at(cls, provider: str, base_url: str, secret: str) -> ProviderAccount:
        """The line to a base URL; a user and password in it stay out of every message."""
        return cls(provider=provider, host=urlsplit(base_url).netloc.rpartition("@")[2], secret=secret)

    def translate(self, error: Exception, call: ModelCall, headers: Mapping[str, str] | None) -> ProviderError | None:
        """The error of our tree that this failure of a call is; None when the failure is no foreign one.

        Args:
            error: what the SDK, the transport or our own reading raised; becomes the cause.
            call: the call that failed.
            headers: those of the reply, when one had begun with status 200; it may then have been billed.
        """
        translated = self._translated(error, call, headers)
        if translated is None:
            return None
        translated.provider, translated.model = self.provider, call.model
        if headers is not None:
            translated.maybe_paid, translated.status = True, translated.status or 200
            translated.request_id = translated.request_id or request_id(headers)
            translated.rate = translated.rate or rate_headers(headers)
        if translated is not error:
            translated.__cause__ = self._clean(error)
        return translated

    def redact(self, text: str) -> str:
        """The text as one line, without the key or anything that looks like one."""
        line = " ".join(text.split())
        if self.secret:
            line = line.replace(self.secret, _REDACTED)
        return _KEY_LIKE.sub(_REDACTED, line)[:MAX_MESSAGE_CHARS]

    def _translated(self, error: Exception, call: ModelCall, headers: Mapping[str, str] | None) -> ProviderError | None:
        if isinstance(error, ProviderError):
            return error
        if isinstance(error, ErrorInBody):
            return self._refusal(200, headers or {}, error.body)
        response = getattr(error, "response", None)
        if response is not None and response.status_code >= 300:
            return self._refusal(response.status_code, response.headers, response.content)
        found = transport_failure(error, self.host, call.timeouts.connect_s, answering=headers is not None)
        return found and found.kind(self.redact(found.message), maybe_paid=found.sent)

    def _refusal(self, status: int, headers: Mapping[str, str], body: bytes | Mapping[str, Any]) -> ProviderError:
        parsed = parse_error_body(body)
        message = parsed.message or f"HTTP status {status}"
        if 300 <= status < 400:
            message = f"{self.host} redirects to {headers.get('location', 'another address')}: set that as base URL"
        kind = classify(status, parsed.code, parsed.type, parsed.message)
        return kind(
            self.redact(message),
            status=status,
            code=parsed.code or parsed.type,
            request_id=request_id(headers) or parsed.request_id,
            retry_after_s=retry_after(headers),
            maybe_paid=status in _MAYBE_PAID_STATUS,
            rate=rate_headers(headers),
        )

    def _clean(self, error: BaseException) -> BaseException:
        """The chain without the key: tracebacks print all of it, and servers and libraries quote what was sent."""
        inner = error.__cause__ or error.__context__
        cleaned = self._clean(inner) if inner is not None else None
        if self.secret and self.secret in f"{error} {error!r}":
            error = Redacted(self.redact(f"{type(error).__name__}: {error}"))
        if cleaned is not inner or isinstance(error, Redacted):
            error.__cause__ = cleaned
        return error


def request_id(headers: Mapping[str, str]) -> str | None:
    """The provider's id of the request, from the reply's headers."""
    return headers.get("request-id") or headers.get("x-request-id")
