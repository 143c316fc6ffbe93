"""The interface of a wire format, and helpers that both formats share."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ai3ray.simulator.pricing import UsedTokens
from ai3ray.simulator.vendors import VendorName
from ai3ray.simulator.wires.parsed_request import ParsedRequest, RequestRefused, UsageVariant, WrittenAnswer

_HUGE = 10**18
"""More tokens than any call can have."""


@dataclass(frozen=True)
class ReplyContent:
    """One answer with all that its wire format reports."""

    request_id: str
    request: ParsedRequest
    written: WrittenAnswer
    used: UsedTokens
    ticks: int | None
    """None when the model has no price."""
    created: int


class Wire(Protocol):
    """One vendor's format."""

    def read(self, body: Mapping[str, Any], headers: Mapping[str, str], vendor: VendorName, /) -> ParsedRequest:
        """Parse a request; raise RequestRefused as the vendor would."""
        ...

    def refusal(self, refused: RequestRefused, request_id: str, /) -> tuple[int, dict[str, Any]]:
        """Return a refusal's status and body."""
        ...

    def headers(self, request_id: str, refused: RequestRefused | None, /) -> dict[str, str]:
        """Return a reply's headers, without rate headers."""
        ...

    def whole(self, reply: ReplyContent) -> dict[str, Any]:
        """Return the body of an answer that is not streamed."""
        ...

    def opening(self, reply: ReplyContent) -> Iterable[bytes]:
        """Yield the beginning of a stream."""
        ...

    def frame(self, reply: ReplyContent, /) -> tuple[bytes, bytes]:
        """Return the bytes before and after the JSON string of each piece."""
        ...

    def closing(self, reply: ReplyContent) -> Iterable[bytes]:
        """Yield the end of a stream."""
        ...

    def error_event(self, request_id: str) -> bytes:
        """Return an overload error inside a stream."""
        ...


def reported_usage(usage: Mapping[str, Any], usage_variant: UsageVariant) -> dict[str, Any]:
    """Return token counts as reported: right, or wrong on purpose."""
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
    """Return the text of a message given as a string or a list of blocks."""
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    return "\n".join(str(block.get("text", "")) for block in blocks if isinstance(block, Mapping))


def turns_of(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return role and text of each message; raise RequestRefused."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise RequestRefused("invalid", "messages: at least one message is required", "messages")
    for position, message in enumerate(messages):
        if not isinstance(message, Mapping) or "role" not in message or "content" not in message:
            raise RequestRefused("invalid", f"messages.{position}: role and content are required", "messages")
    return [(str(message["role"]), text_of(message["content"])) for message in messages]


def positive(body: Mapping[str, Any], name: str, *, required: bool) -> int:
    """Return a positive integer of the body, such as a token cap; raise RequestRefused."""
    value = body.get(name)
    if value is None and not required:
        return 1_000_000
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        words = f"{name}: Field required" if value is None else f"{name}: Input should be a positive integer"
        raise RequestRefused("invalid", words, name)
    return value


def model_of(body: Mapping[str, Any]) -> str:
    """Return the model id; raise RequestRefused."""
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise RequestRefused("invalid", "model: Field required", "model")
    return model


_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def encoded(data: Any) -> bytes:
    """Return compact JSON as bytes."""
    return compact(data).encode()


def compact(data: Any) -> str:
    """Return JSON without spaces."""
    return _encoder.encode(data)
