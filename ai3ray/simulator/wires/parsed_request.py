"""A request in neither vendor's words, and how a vendor refuses one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

from ai3ray.simulator.vendors import VendorName

CHARS_PER_TOKEN = 4
_FENCE = re.compile(r"\b[0-9a-f]{16}\b")

Reason = Literal[
    "invalid",
    "auth",
    "billing",
    "forbidden",
    "unknown_model",
    "too_long",
    "too_large",
    "rate_limit",
    "ramp",
    "quota",
    "server_error",
    "bad_gateway",
    "unavailable",
    "timeout",
    "overloaded",
]
"""Why a request is refused; each wire has its own status, type and code for it."""

UsageVariant = Literal["real", "missing", "zero", "negative", "huge", "text"]
"""How a reply tells its token counts."""


class ContentBlock(NamedTuple):
    """A part of a prompt, as far as a cache is concerned."""

    text: str
    """What counts for the match: exact, its role included."""
    chars: int
    """Its length as the model reads it."""
    ttl: Literal["5m", "1h"] | None = None
    """Up to here is to be kept for so long; None where the request does not ask for it."""


@dataclass(frozen=True)
class ParsedRequest:
    """What a request asks for."""

    vendor: VendorName
    """Whom it was sent to."""
    model: str
    """Which model."""
    stream: bool
    """Whether the answer is to be streamed."""
    system: str
    """The system prompt."""
    turns: tuple[tuple[str, str], ...]
    """Role and text of each message."""
    max_tokens: int
    """Cap of the answer, in tokens."""
    schema: Mapping[str, Any] | None = None
    """The JSON Schema that the answer has to follow."""
    include_usage: bool = True
    """Whether a stream is to end with the token counts."""
    blocks: tuple[ContentBlock, ...] = ()
    """The prompt block by block, when the request marks what is to be cached."""
    capped: bool = True
    """Whether the cap stood in the request."""

    @cached_property
    def user_text(self) -> str:
        """What the user said, all turns."""
        return "\n\n".join(text for role, text in self.turns if role == "user")

    @cached_property
    def prompt(self) -> str:
        """All that the model reads."""
        return "\n\n".join([self.system, *(text for _, text in self.turns)]).strip()

    @cached_property
    def stable_prompt(self) -> str:
        """The prompt without the marks that ai3ray draws anew for each call: what is asked again is answered alike."""
        return _FENCE.sub("", self.prompt)

    @cached_property
    def input_tokens(self) -> int:
        """Tokens of all that the model reads."""
        return tokens(self.prompt)

    @cached_property
    def role(self) -> str:
        """What the call is probably for: plan, judge or task, by the schema it brings."""
        properties = (self.schema or {}).get("properties") or {}
        if "tasks" in properties:
            return "plan"
        return "judge" if {"passed", "defects"} <= set(properties) else "task"


@dataclass(frozen=True)
class WrittenAnswer:
    """What the model answers."""

    text: str
    """The answer."""
    finish: Literal["stop", "length", "refusal"] = "stop"
    """Why it ends."""
    reasoning_tokens: int = 0
    """Tokens thought and not shown; billed as output."""
    usage_variant: UsageVariant = "real"
    """How the reply tells its token counts."""

    @property
    def reports_usage(self) -> bool:
        """Whether the reply tells its token counts."""
        return self.usage_variant != "missing"

    @property
    def output_tokens(self) -> int:
        """All output, reasoning included."""
        return tokens(self.text) + self.reasoning_tokens


@dataclass(eq=False)
class RequestRefused(Exception):
    """The request is not answered."""

    reason: Reason
    """Why."""
    message: str
    """In words."""
    param: str | None = None
    """The field to blame."""
    status: int | None = None
    """Another status than the vendor's usual one."""
    retry_after_s: float | None = None
    """Seconds to wait, as `retry-after` tells them."""
    code: str | None = None
    """Another code than the vendor's usual one."""
    exact_wait_s: float | None = None
    """The same to the millisecond, for vendors that tell it; `retry_after_s` when absent."""
    fault: str | None = None
    """The fault rule that it comes from."""


def tokens(text: str) -> int:
    """Tokens of a text: four characters each, rounded up."""
    return tokens_of(len(text))


def tokens_of(chars: int) -> int:
    """Tokens of so many characters."""
    return -(-chars // CHARS_PER_TOKEN)
