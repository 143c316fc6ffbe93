"""Requests, answers and refusals in any wire format."""

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


class ContentBlock(NamedTuple):
    """A block of a prompt, for the cache."""

    text: str
    """The text to match, role included."""
    chars: int
    ttl: Literal["5m", "1h"] | None = None
    """How long the prompt up to here is cached; None without a mark."""


@dataclass(frozen=True)
class ParsedRequest:
    """A request."""

    vendor: VendorName
    model: str
    stream: bool
    system: str
    turns: tuple[tuple[str, str], ...]
    max_tokens: int
    schema: Mapping[str, Any] | None = None
    include_usage: bool = True
    blocks: tuple[ContentBlock, ...] = ()
    """Empty unless the request marks blocks for the cache."""
    capped: bool = True
    """Whether the request sets the cap."""

    @cached_property
    def user_text(self) -> str:
        """The text of the user's turns."""
        return "\n\n".join(text for role, text in self.turns if role == "user")

    @cached_property
    def prompt(self) -> str:
        """All text that the model reads."""
        return "\n\n".join([self.system, *(text for _, text in self.turns)]).strip()

    @cached_property
    def stable_prompt(self) -> str:
        """The prompt without ai3ray's random fences, so that a repeated question gets the same answer."""
        return _FENCE.sub("", self.prompt)

    @cached_property
    def input_tokens(self) -> int:
        """The prompt's tokens."""
        return tokens(self.prompt)

    @cached_property
    def role(self) -> str:
        """The probable purpose, read from the schema: plan, judge or task."""
        properties = (self.schema or {}).get("properties") or {}
        if "tasks" in properties:
            return "plan"
        return "judge" if {"passed", "defects"} <= set(properties) else "task"


@dataclass(frozen=True)
class WrittenAnswer:
    """The answer of a model."""

    text: str
    finish: Literal["stop", "length", "refusal"] = "stop"
    reasoning_tokens: int = 0
    usage_variant: UsageVariant = "real"

    @property
    def reports_usage(self) -> bool:
        """True if the reply reports its token counts."""
        return self.usage_variant != "missing"

    @property
    def output_tokens(self) -> int:
        """All output, reasoning included."""
        return tokens(self.text) + self.reasoning_tokens


@dataclass(eq=False)
class RequestRefused(Exception):
    """The refusal of a request, raised instead of an answer."""

    reason: Reason
    message: str
    param: str | None = None
    status: int | None = None
    """The HTTP status instead of the vendor's usual one."""
    retry_after_s: float | None = None
    """Seconds for the `retry-after` header."""
    code: str | None = None
    """The error code instead of the vendor's usual one."""
    exact_wait_s: float | None = None
    """For vendors that report milliseconds; `retry_after_s` when absent."""
    fault: str | None = None
    """The fault rule that caused the refusal."""


def tokens(text: str) -> int:
    """Count tokens of four characters each, rounded up."""
    return tokens_of(len(text))


def tokens_of(chars: int) -> int:
    """Return the tokens of a number of characters."""
    return -(-chars // CHARS_PER_TOKEN)
