"""Read an error body in any provider's shape."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple


class ErrorBody(NamedTuple):
    """The parts of an error body; None or empty where absent."""

    message: str = ""
    type: str | None = None
    code: str | None = None
    request_id: str | None = None


def parse_error_body(body: bytes | Mapping[str, Any]) -> ErrorBody:
    """Return the error that a body describes.

    Anthropic: `{"type", "error": {"type", "message", "details": {"error_code"}}, "request_id"}`.
    OpenAI: `{"error": {"message", "type", "code", "param"}}`. xAI: `{"code", "error": "<text>"}`.
    Other servers: `{"message", "type", "code"}` or `{"detail": …}`; a body without JSON is its own message.
    """
    value: object = body
    if isinstance(body, bytes):
        text = body.decode(errors="replace")
        try:
            value = json.loads(text)
        except ValueError:
            value = text
    if not isinstance(value, Mapping):
        return ErrorBody(message=str(value))
    inner = value.get("error")
    if not isinstance(inner, Mapping):
        inner = {**value, "message": inner or value.get("message") or value.get("detail") or ""}
    details = inner.get("details")
    detail = details.get("error_code") if isinstance(details, Mapping) else None
    return ErrorBody(
        message=_text(inner.get("message")) or "",
        type=_text(inner.get("type")),
        code=_text(detail) or _text(inner.get("code")),
        request_id=_text(value.get("request_id")),
    )


def _text(value: object) -> str | None:
    return None if value is None or isinstance(value, Mapping) else str(value)
