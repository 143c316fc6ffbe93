"""How answers are understood: what the vendors' adapters share, without any I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from ai3ray.domain.call import FinishReason
from ai3ray.errors import MalformedReply
from ai3ray.providers.sse import ServerSentEvent
from ai3ray.providers.usage import ReportedUsage


class ParsedReply(NamedTuple):
    """A complete answer."""

    text: str
    finish: FinishReason
    usage: ReportedUsage
    model: str | None
    cost_usd: float | None = None


class ReplyParser(Protocol):
    """How one vendor's answer is understood. Each holds one answer."""

    def read_event(self, event: ServerSentEvent) -> str | None:
        """Take in an event of a stream. Returns the text it brings; None when it brings nothing of the answer.

        Raises:
            ErrorInBody: the event is the vendor's error object.
            MalformedReply: the event is not what the protocol promises.
        """
        ...

    def read_body(self, body: Mapping[str, Any]) -> None:
        """Take in the body of an answer that was not streamed. Raises like `event`."""
        ...

    def result(self) -> ParsedReply | None:
        """The answer, once its terminal event was seen."""
        ...

    def partial(self) -> tuple[ReportedUsage, str]:
        """What was told and written before the answer broke off; how much was written nobody has told then."""
        ...


class ErrorInBody(Exception):
    """A reply of status 200 whose content is the vendor's error object."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        super().__init__("an error inside a reply of status 200")
        self.body = body


def json_object(raw: str | bytes) -> Mapping[str, Any]:
    """The JSON object in a body or an event; raises ErrorInBody and MalformedReply."""
    try:
        read = json.loads(raw)
    except ValueError as error:
        raise MalformedReply(f"the answer is no JSON: {error}") from error
    if not isinstance(read, Mapping):
        raise MalformedReply(f"the answer is JSON, but no object: {type(read).__name__}")
    if read.get("error"):
        raise ErrorInBody(read)
    return read


def mapping(value: Any) -> Mapping[str, Any]:
    """The value when it is a JSON object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def text(value: Any) -> str:
    """The value when it is a string, else an empty one."""
    return value if isinstance(value, str) else ""
