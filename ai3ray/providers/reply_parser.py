"""The port of reply parsers, and helpers for its adapters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from ai3ray.domain.call import FinishReason
from ai3ray.errors import MalformedReply
from ai3ray.providers.sse import ServerSentEvent
from ai3ray.providers.usage import ReportedUsage


class ParsedReply(NamedTuple):
    """A complete reply."""

    text: str
    finish: FinishReason
    usage: ReportedUsage
    model: str | None
    cost_usd: float | None = None


class ReplyParser(Protocol):
    """The parser of one reply in one vendor's format."""

    def read_event(self, event: ServerSentEvent) -> str | None:
        """Read an event of a stream; return the text it adds, None if it is no part of the reply.

        Raises:
            ErrorInBody: it is the vendor's error object.
            MalformedReply: it breaks the protocol.
        """
        ...

    def read_body(self, body: Mapping[str, Any]) -> None:
        """Read a body that was not streamed. Raises like `read_event`."""
        ...

    def result(self) -> ParsedReply | None:
        """Return the reply; None before its terminal event."""
        ...

    def partial(self) -> tuple[ReportedUsage, str]:
        """Return usage and text of a reply that broke off; its output tokens are never reported."""
        ...


class ErrorInBody(Exception):
    """A vendor's error object in a reply of status 200."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        super().__init__("an error inside a reply of status 200")
        self.body = body


def json_object(raw: str | bytes) -> Mapping[str, Any]:
    """Return the JSON object in a body or an event. Raises ErrorInBody and MalformedReply."""
    try:
        value = json.loads(raw)
    except ValueError as error:
        raise MalformedReply(f"the reply is not JSON: {error}") from error
    if not isinstance(value, Mapping):
        raise MalformedReply(f"the reply is not a JSON object but a {type(value).__name__}")
    if value.get("error"):
        raise ErrorInBody(value)
    return value


def mapping(value: Any) -> Mapping[str, Any]:
    """Return the value if it is a JSON object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def text(value: Any) -> str:
    """Return the value if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""
