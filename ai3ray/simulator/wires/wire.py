"""What the two wire formats have in common: how a request is read and an answer is put into bytes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ai3ray.simulator.pricing import UsedTokens
from ai3ray.simulator.vendors import VendorName
from ai3ray.simulator.wires.parsed_request import ParsedRequest, RequestRefused, UsageVariant, WrittenAnswer

_HUGE = 10**18
"""More tokens than a call can have."""


@dataclass(frozen=True)
class ReplyContent:
    """One answer with everything its wire format wants to tell."""

    request_id: str
    """The reply's id."""
    request: ParsedRequest
    """The request."""
    written: WrittenAnswer
    """The answer."""
    used: UsedTokens
    """Its tokens."""
    ticks: int | None
    """The bill in ticks; None when the model has no price."""
    created: int
    """Seconds since the epoch."""


class Wire(Protocol):
    """One vendor's format."""

    def read(self, body: Mapping[str, Any], headers: Mapping[str, str], vendor: VendorName, /) -> ParsedRequest:
        """Understand a request; raises Refused as the vendor would."""
        ...

    def refusal(self, refused: RequestRefused, request_id: str, /) -> tuple[int, dict[str, Any]]:
        """Status and body of a refusal."""
        ...

    def headers(self, request_id: str, refused: RequestRefused | None, /) -> dict[str, str]:
        """The headers of every reply beside the account's rate limits.

        Args:
            request_id: the id.
            refused: the refusal, when it is one: it may tell a time to wait.
        """
        ...

    def whole(self, reply: ReplyContent) -> dict[str, Any]:
        """The body of an answer that is not streamed."""
        ...

    def opening(self, reply: ReplyContent) -> Iterable[bytes]:
        """What a stream begins with."""
        ...

    def frame(self, reply: ReplyContent, /) -> tuple[bytes, bytes]:
        """What stands before and after the JSON of each piece of the answer's text."""
        ...

    def closing(self, reply: ReplyContent) -> Iterable[bytes]:
        """What a stream ends with."""
        ...

    def error_event(self, request_id: str) -> bytes:
        """The overload that is told inside a stream."""
        ...


def reported_usage(usage: Mapping[str, Any], usage_variant: UsageVariant) -> dict[str, Any]:
    """Token counts as they are to be told: right, or wrong on purpose."""
    if usage_variant == "real":
        return dict(usage)
    return {
        name: reported_usage(value, usage_variant) if isinstance(value, Mapping) else _wrong(value, usage_variant)
        for name, value in usage.items()
    }


def _wrong(value: Any, usage_variant: UsageVariant) -> Any:
    if not isinstance(value, int):
        return value
    match usage_variant:
        case "zero":
            return 0
        case "negative":
            return -1 - value
        case "huge":
            return value + _HUGE
        case _:
            return f"about {value}"


def text_of(content: Any) -> str:
    """The text of a message: a string, or a list of blocks."""
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    return "\n".join(str(block.get("text", "")) for block in blocks if isinstance(block, Mapping))


def turns_of(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Role and text of each message; raises Refused."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise RequestRefused("invalid", "messages: at least one message is required", "messages")
    for position, message in enumerate(messages):
        if not isinstance(message, Mapping) or "role" not in message or "content" not in message:
            raise RequestRefused("invalid", f"messages.{position}: role and content are required", "messages")
    return [(str(message["role"]), text_of(message["content"])) for message in messages]


def positive(body: Mapping[str, Any], name: str, *, required: bool) -> int:
    """A count of tokens in the body; raises Refused."""
    value = body.get(name)
    if value is None and not required:
        return 1_000_000
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        words = f"{name}: Field required" if value is None else f"{name}: Input should be a positive integer"
        raise RequestRefused("invalid", words, name)
    return value


def model_of(body: Mapping[str, Any]) -> str:
    """The model's id; raises Refused."""
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise RequestRefused("invalid", "model: Field required", "model")
    return model


_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def encoded(data: Any) -> bytes:
    """The bytes of JSON without spaces."""
    return compact(data).encode()


def compact(data: Any) -> str:
    """JSON without spaces."""
    return _encoder.encode(data)
