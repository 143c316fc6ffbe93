"""Translate foreign errors into ai3ray's error tree."""

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
"""The part of a provider's message that is kept."""

_KEY_LIKE = re.compile(r"\b(?:sk|xai)-[A-Za-z0-9_-]{8,}|(?<=Bearer )[^\s'\"]{8,}")
_REDACTED = "[key]"
_MIN_KEY_CHARS = 8
"""A shorter key, as local servers get, is no secret, and its letters stand in common words."""
_MAYBE_PAID_STATUS = frozenset({408, 502, 504})
"""After these a gateway gave up, but the model may have worked."""


class Redacted(Exception):
    """A stand-in for an error with a key in its text, in a chain of causes."""


@dataclass(frozen=True)
class ProviderAccount:
    """One account at one provider, which translates its errors."""

    provider: str
    """The provider's name in the configuration."""
    base_url: str = field(repr=False)
    key: str = field(repr=False)
    """Sent as bearer token; never part of a message."""

    @property
    def host(self) -> str:
        """The host and port of the base URL, without a login."""
        return urlsplit(self.base_url).netloc.rpartition("@")[2]

    def translate(self, error: Exception, call: ModelCall, headers: Mapping[str, str] | None) -> ProviderError | None:
        """Return the ProviderError for a failed call; None for an error of ai3ray's own code.

        Args:
            error: raised by SDK, transport or parser; becomes the cause.
            call: the failed call.
            headers: those of a reply that had begun with status 200 and may have been billed.
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
        """Return the text as one bounded line without keys."""
        line = " ".join(text.split())
        if self._has_secret_key:
            line = line.replace(self.key, _REDACTED)
        return _KEY_LIKE.sub(_REDACTED, line)[:MAX_MESSAGE_CHARS]

    @property
    def _has_secret_key(self) -> bool:
        return len(self.key) >= _MIN_KEY_CHARS

    def _translated(self, error: Exception, call: ModelCall, headers: Mapping[str, str] | None) -> ProviderError | None:
        if isinstance(error, ProviderError):
            return error
        if isinstance(error, ErrorInBody):
            return self._from_reply(200, headers or {}, error.body)
        response = getattr(error, "response", None)
        if response is not None and response.status_code >= 300:
            return self._from_reply(response.status_code, response.headers, response.content)
        found = transport_failure(error, self.host, call.timeouts.connect_s, answering=headers is not None)
        return found and found.error_class(self.redact(found.message), maybe_paid=found.sent)

    def _from_reply(self, status: int, headers: Mapping[str, str], body: bytes | Mapping[str, Any]) -> ProviderError:
        parsed = parse_error_body(body)
        message = parsed.message or f"HTTP status {status}"
        if 300 <= status < 400:
            message = f"{self.host} redirects to {headers.get('location', 'another address')}: set that as base URL"
        error_class = classify(status, parsed.code, parsed.type, parsed.message)
        return error_class(
            self.redact(message),
            status=status,
            code=parsed.code or parsed.type,
            request_id=request_id(headers) or parsed.request_id,
            retry_after_s=retry_after(headers),
            maybe_paid=status in _MAYBE_PAID_STATUS,
            rate=rate_headers(headers),
        )

    def _clean(self, error: BaseException) -> BaseException:
        """Remove the key from the whole chain of causes, which tracebacks print."""
        inner = error.__cause__ or error.__context__
        cleaned = self._clean(inner) if inner is not None else None
        if self._has_secret_key and self.key in f"{error} {error!r}":
            error = Redacted(self.redact(f"{type(error).__name__}: {error}"))
        if cleaned is not inner or isinstance(error, Redacted):
            error.__cause__ = cleaned
        return error


def request_id(headers: Mapping[str, str]) -> str | None:
    """Return the provider's id of the request."""
    return headers.get("request-id") or headers.get("x-request-id")
