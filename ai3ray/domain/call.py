"""One call of one model, in no vendor's words."""

from __future__ import annotations

from typing import Any, Literal

from ai3ray.domain.frozen import Frozen
from ai3ray.errors import ProviderError

Role = Literal["plan", "task", "repair", "judge", "assemble"]
FinishReason = Literal["stop", "length", "refusal", "other"]
AttemptStatus = Literal["started", "succeeded", "failed", "cancelled", "lost"]


class Message(Frozen):
    """One turn of the conversation."""

    role: Literal["user", "assistant"]
    """Who speaks."""
    text: str
    """What is said."""


class Timeouts(Frozen):
    """The clocks of one call, each in seconds."""

    connect_s: float = 10.0
    """Until the connection stands."""
    first_token_s: float = 120.0
    """From the request to the first piece of the answer."""
    idle_s: float = 60.0
    """Between two pieces of a streamed answer."""
    total_s: float = 600.0
    """The whole call."""


class Prompt(Frozen):
    """What is asked, before it is known of whom."""

    system: str = ""
    """The system prompt; never holds another model's output."""
    messages: tuple[Message, ...]
    """The conversation, the user's turn last."""
    shared_chars: int = 0
    """How much of the first message other calls begin with, too, in characters; 0 when nobody does. A provider that
    keeps the beginnings of prompts is told, because reading one again costs a tenth."""
    brief: str | None = None
    """The same in few words, for a model that is too small for system prompt and outline."""
    max_output_tokens: int = 4096
    """The cap of the answer, in tokens."""
    temperature: float | None = None
    """Wished sampling temperature; sent only to models whose card accepts it."""
    json_schema: dict[str, Any] | None = None
    """Ask for JSON of this schema through the provider's structured output."""
    schema_name: str = "answer"
    """Name of the schema, for providers that want one."""

    @property
    def beginning(self) -> str:
        """What it shares with other calls, the system prompt included; empty when it shares nothing."""
        return f"{self.system}\n\n{self.messages[0].text[: self.shared_chars]}" if self.shared_chars else ""


class ModelCall(Frozen):
    """A prompt addressed to one model."""

    model: str
    """The provider's own id of the model."""
    prompt: Prompt
    """What is asked; its temperature is None unless the model accepts one."""
    timeouts: Timeouts = Timeouts()
    """The call's clocks."""


class Usage(Frozen):
    """Tokens of one call."""

    input_tokens: int = 0
    """All input, cached parts included."""
    cached_tokens: int = 0
    """The part of the input that was read from the provider's cache."""
    cache_write_tokens: int = 0
    """The part of the input that was written to the provider's cache."""
    output_tokens: int = 0
    """All output, reasoning included."""
    estimated: bool = False
    """True when the provider did not tell and the figures are ours."""


class RateWindow(Frozen):
    """What a reply's headers said of one rate limit."""

    limit: int | None = None
    """The allowance of the window."""
    remaining: int | None = None
    """What is left of it."""
    reset_s: float | None = None
    """Seconds until it is full again."""


class RateHeaders(Frozen):
    """The rate limits as a provider's reply told them."""

    requests: RateWindow | None = None
    """Requests per minute."""
    tokens: RateWindow | None = None
    """Tokens per minute, where one bucket holds both directions."""
    input_tokens: RateWindow | None = None
    """Input tokens per minute."""
    output_tokens: RateWindow | None = None
    """Output tokens per minute."""


class Reply(Frozen):
    """A complete answer: its terminal event was seen."""

    text: str
    """The answer."""
    finish: FinishReason
    """Why it ended."""
    usage: Usage
    """Tokens."""
    model: str
    """The model that answered, as the provider names it."""
    request_id: str | None = None
    """The provider's id of the request."""
    first_token_s: float | None = None
    """Seconds from the request to the first piece; None when not streamed."""
    seconds: float = 0.0
    """Seconds of the whole call."""
    cost_usd: float | None = None
    """The bill, when the provider itself tells it."""
    rate: RateHeaders | None = None
    """Rate limits, when the provider told them."""


class ErrorInfo(Frozen):
    """An error as a value: what events, rows and HTTP bodies show."""

    type: str
    """The error's type in ai3ray's tree, such as `rate_limited`."""
    message: str
    """One line."""
    provider: str | None = None
    """The provider that failed."""
    model: str | None = None
    """The model that failed."""
    request_id: str | None = None
    """The provider's id of the failed request."""
    status: int | None = None
    """HTTP status of the failed call."""
    code: str | None = None
    """The provider's own error type or code."""


def error_info(error: Exception) -> ErrorInfo:
    """The error as a value; anything outside our tree is `internal`."""
    message = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, ProviderError):
        return ErrorInfo(
            type=error.type,
            message=message,
            provider=error.provider or None,
            model=error.model or None,
            request_id=error.request_id,
            status=error.status,
            code=error.code,
        )
    return ErrorInfo(type=getattr(error, "type", "internal"), message=message)


class Attempt(Frozen):
    """One model call as the journal keeps it: written when it starts, again when it ends."""

    run_id: str
    """The run it belongs to."""
    task_id: str | None = None
    """The task it works for; None for planner and assembler."""
    attempt_id: str
    """Unique; the id of the lease it ran under."""
    role: Role
    """What the call was for."""
    n: int
    """1 for the first call for this task or role, then counting."""
    provider: str
    """The provider called."""
    model: str
    """The model called, as `provider/model`."""
    status: AttemptStatus
    """`started` until it ends; `lost` when its runner died."""
    error_type: str | None = None
    """Type of the error it failed with."""
    request_id: str | None = None
    """The provider's id of the request."""
    input_tokens: int = 0
    """Input tokens, cached ones included."""
    cached_tokens: int = 0
    """Input tokens read from the provider's cache."""
    output_tokens: int = 0
    """Output tokens."""
    usage_estimated: bool = False
    """True when the token counts are ours, not the provider's."""
    cost_usd: float | None = None
    """What it cost; None when the price is unknown or nothing was billed yet."""
    started_at: str = ""
    """UTC, ISO 8601."""
    first_token_s: float | None = None
    """Seconds to the first piece of the answer."""
    seconds: float | None = None
    """Seconds of the whole call."""
    maybe_paid: bool = False
    """The provider may have billed it although no answer was kept."""
