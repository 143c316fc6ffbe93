"""One call of one model, independent of its vendor."""

from __future__ import annotations

from typing import Any, Literal

from ai3ray.domain.frozen import Frozen

Role = Literal["plan", "task", "repair", "judge", "assemble"]
FinishReason = Literal["stop", "length", "refusal", "other"]
AttemptStatus = Literal["started", "succeeded", "failed", "cancelled", "lost"]


class Message(Frozen):
    """One turn of the conversation."""

    role: Literal["user", "assistant"]
    text: str


class Timeouts(Frozen):
    """Timeouts of one call."""

    connect_s: float = 10.0
    first_token_s: float = 120.0
    """From the request to the first piece of the answer."""
    idle_s: float = 60.0
    """Between two pieces of a streamed answer."""
    total_s: float = 600.0


class Prompt(Frozen):
    """A prompt, before its model is chosen."""

    system: str = ""
    """Never contains another model's output."""
    messages: tuple[Message, ...]
    """The user's turn is last."""
    shared_chars: int = 0
    """Characters at the beginning of the first message that other calls share, for prompt caches."""
    brief: str | None = None
    """A version for models that are too small for system prompt and outline."""
    max_output_tokens: int = 4096
    temperature: float | None = None
    """Sent only to models that accept it."""
    json_schema: dict[str, Any] | None = None
    """Requests structured output of this schema."""
    schema_name: str = "answer"

    @property
    def beginning(self) -> str:
        """The system prompt and the characters that other calls share."""
        return f"{self.system}\n\n{self.messages[0].text[: self.shared_chars]}" if self.shared_chars else ""


class ModelCall(Frozen):
    """A prompt addressed to one model."""

    model: str
    """The provider's own id of the model."""
    prompt: Prompt
    timeouts: Timeouts = Timeouts()


class Usage(Frozen):
    """Tokens of one call."""

    input_tokens: int = 0
    """All input, including cached parts."""
    cached_tokens: int = 0
    """Input read from the provider's cache."""
    cache_write_tokens: int = 0
    """Input written to the provider's cache."""
    output_tokens: int = 0
    """All output, including reasoning."""
    estimated: bool = False
    """True when the provider reported none and the figures are our estimate."""


class RateWindow(Frozen):
    """One rate limit, from a reply's headers."""

    limit: int | None = None
    remaining: int | None = None
    reset_s: float | None = None
    """Seconds until the window is full again."""


class RateHeaders(Frozen):
    """The rate limits that a reply reported."""

    requests: RateWindow | None = None
    tokens: RateWindow | None = None
    """Tokens per minute, where one bucket holds both directions."""
    input_tokens: RateWindow | None = None
    output_tokens: RateWindow | None = None


class Reply(Frozen):
    """A complete answer, with its terminal event."""

    text: str
    finish: FinishReason
    usage: Usage
    model: str
    """As the provider names it."""
    request_id: str | None = None
    """The provider's id."""
    first_token_s: float | None = None
    """Seconds from the request to the first piece; None when not streamed."""
    seconds: float = 0.0
    cost_usd: float | None = None
    """The bill, when the provider reports it."""
    rate: RateHeaders | None = None


class ErrorInfo(Frozen):
    """An error as a value, for events, rows and HTTP bodies."""

    type: str
    """The error's type in ai3ray's tree, such as `rate_limited`."""
    message: str
    provider: str | None = None
    model: str | None = None
    request_id: str | None = None
    status: int | None = None
    code: str | None = None
    """The provider's own error type or code."""


class Attempt(Frozen):
    """One model call in the journal, written when it starts and again when it ends."""

    run_id: str
    task_id: str | None = None
    """The task it works for; None for planner and assembler."""
    attempt_id: str
    """Unique id, which is its lease's."""
    role: Role
    n: int
    """Number of the call for this task or role, from 1."""
    provider: str
    model: str
    """The model called, as `provider/model`."""
    status: AttemptStatus
    """`started` until it ends; `lost` when its runner died."""
    error_type: str | None = None
    request_id: str | None = None
    """The provider's id of the request."""
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    usage_estimated: bool = False
    """True when the token counts are our estimate."""
    cost_usd: float | None = None
    """Its cost; None when the price is unknown or nothing was billed yet."""
    started_at: str = ""
    first_token_s: float | None = None
    seconds: float | None = None
    maybe_paid: bool = False
    """The provider may have billed it although no answer was kept."""
