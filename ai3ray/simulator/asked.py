"""A request in neither vendor's words, and how a vendor refuses one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ai3ray.simulator.settings import Account

CHARS_PER_TOKEN = 4

Reason = Literal[
    "invalid",
    "auth",
    "unknown_model",
    "too_long",
    "rate_limit",
    "quota",
    "server_error",
    "overloaded",
]
"""Why a request is refused; each wire has its own status, type and code for it."""


@dataclass(frozen=True)
class Asked:
    """What a request asks for."""

    account: Account
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

    @property
    def user_text(self) -> str:
        """What the user said, all turns."""
        return "\n\n".join(text for role, text in self.turns if role == "user")

    @property
    def prompt(self) -> str:
        """All that the model reads."""
        return "\n\n".join([self.system, *(text for _, text in self.turns)]).strip()

    @property
    def role(self) -> str:
        """What the call is probably for: plan, judge or task, by the schema it brings."""
        properties = (self.schema or {}).get("properties") or {}
        if "tasks" in properties:
            return "plan"
        return "judge" if {"passed", "defects"} <= set(properties) else "task"


@dataclass(frozen=True)
class Written:
    """What the model answers."""

    text: str
    """The answer."""
    finish: Literal["stop", "length", "refusal"] = "stop"
    """Why it ends."""
    reasoning_tokens: int = 0
    """Tokens thought and not shown; billed as output."""
    tells_usage: bool = True
    """Whether the reply tells its token counts."""

    @property
    def output_tokens(self) -> int:
        """All output, reasoning included."""
        return tokens(self.text) + self.reasoning_tokens


@dataclass(eq=False)
class Refused(Exception):
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
    """Seconds to wait."""


def tokens(text: str) -> int:
    """Tokens of a text: four characters each, rounded up."""
    return -(-len(text) // CHARS_PER_TOKEN)
