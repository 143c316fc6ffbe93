"""What the two wire formats have in common: how a request is read and an answer is put into bytes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ai3ray.simulator.asked import Asked, Refused, Written, tokens
from ai3ray.simulator.buckets import Allowance
from ai3ray.simulator.settings import Account


@dataclass(frozen=True)
class Sheet:
    """One answer with everything its wire format wants to tell."""

    request_id: str
    """The reply's id."""
    asked: Asked
    """The request."""
    written: Written
    """The answer."""
    cost_usd: float | None
    """The bill."""
    created: int
    """Seconds since the epoch."""

    @property
    def input_tokens(self) -> int:
        """Tokens of the prompt."""
        return tokens(self.asked.prompt)


class Wire(Protocol):
    """One vendor's format."""

    def read(self, body: Mapping[str, Any], headers: Mapping[str, str], account: Account, /) -> Asked:
        """Understand a request; raises Refused as the vendor would."""
        ...

    def refusal(self, refused: Refused, request_id: str, /) -> tuple[int, dict[str, Any]]:
        """Status and body of a refusal."""
        ...

    def headers(self, request_id: str, allowance: Allowance, retry_after_s: float | None, /) -> dict[str, str]:
        """The headers of every reply, with the request's id and the account's rate limits.

        Args:
            request_id: the id.
            allowance: what the account may still do.
            retry_after_s: seconds to wait, when it is a refusal that says so.
        """
        ...

    def whole(self, sheet: Sheet) -> dict[str, Any]:
        """The body of an answer that is not streamed."""
        ...

    def opening(self, sheet: Sheet) -> Iterable[bytes]:
        """What a stream begins with."""
        ...

    def piece(self, sheet: Sheet, text: str, /) -> bytes:
        """A piece of the answer."""
        ...

    def closing(self, sheet: Sheet) -> Iterable[bytes]:
        """What a stream ends with."""
        ...

    def error_event(self, request_id: str) -> bytes:
        """The overload that is told inside a stream."""
        ...


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
        raise Refused("invalid", "messages: at least one message is required", "messages")
    for position, message in enumerate(messages):
        if not isinstance(message, Mapping) or "role" not in message or "content" not in message:
            raise Refused("invalid", f"messages.{position}: role and content are required", "messages")
    return [(str(message["role"]), text_of(message["content"])) for message in messages]


def positive(body: Mapping[str, Any], name: str, *, required: bool) -> int:
    """A count of tokens in the body; raises Refused."""
    value = body.get(name)
    if value is None and not required:
        return 1_000_000
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        words = f"{name}: Field required" if value is None else f"{name}: Input should be a positive integer"
        raise Refused("invalid", words, name)
    return value


def model_of(body: Mapping[str, Any]) -> str:
    """The model's id; raises Refused."""
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise Refused("invalid", "model: Field required", "model")
    return model


def compact(data: Any) -> str:
    """JSON without spaces."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))
