"""Translate a Chat Completions body to a run request."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from pydantic import ConfigDict, Field, model_validator

from ai3ray.domain.frozen import Frozen
from ai3ray.domain.plan import OutputFormat, single_task
from ai3ray.domain.request import RunRequest, parse_request
from ai3ray.errors import RequestError

PLANS = "ai3"
"""The model id of a planned run."""
DIRECT = "ai3/direct"
"""The model id of a run with one routed, checked task."""

_OPTIONS = frozenset(RunRequest.model_fields) - {"prompt", "context", "plan", "metadata", "run_class"} | {"class"}


class ContentPart(Frozen):
    """A part of a message's content; only text is supported."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["text"]
    text: str


class ChatMessage(Frozen):
    """One turn of the conversation."""

    model_config = ConfigDict(extra="ignore")

    role: Literal["system", "developer", "user", "assistant"]
    content: str | tuple[ContentPart, ...]

    @property
    def text(self) -> str:
        """All parts in one text."""
        return self.content if isinstance(self.content, str) else "\n".join(part.text for part in self.content)


class JsonSchema(Frozen):
    """The schema of a structured answer."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    name: str = "answer"
    schema_: dict[str, Any] = Field(default_factory=dict, alias="schema")


class ResponseFormat(Frozen):
    """The form of the answer."""

    type: Literal["text", "json_object", "json_schema"]
    """Free text, any JSON, or JSON of a schema."""
    json_schema: JsonSchema | None = None
    """With type `json_schema`."""

    @model_validator(mode="after")
    def _has_schema(self) -> ResponseFormat:
        if self.type == "json_schema" and self.json_schema is None:
            raise ValueError("json_schema is missing")
        return self


class StreamOptions(Frozen):
    """Options of a stream."""

    include_usage: bool = False
    """Send a last chunk with the run's tokens."""
    include_obfuscation: bool = False
    """Without effect; there is no padding."""


class ChatRequest(Frozen):
    """The body of `POST /v1/chat/completions`."""

    model: str = Field(min_length=1)
    """`ai3` plans, `ai3/direct` does not; a model's id is routed to that model alone."""
    messages: tuple[ChatMessage, ...] = Field(min_length=1)
    """The conversation; the last turn, the user's, is the prompt, and the others are context."""
    stream: bool = False
    """True to receive the answer in pieces."""
    stream_options: StreamOptions | None = None
    response_format: ResponseFormat | None = None
    """The form of the answer; not with `ai3`, since several tasks write its answer."""
    metadata: dict[str, str] = Field(default_factory=dict)
    """Fields of a run request (`budget_usd`, `deadline_s`, `verify` …) as texts; other keys are labels."""
    n: Literal[1] = 1
    # Clients send these fields, so they are accepted; sampling and length are decided per call.
    temperature: float | None = None
    """Without effect."""
    top_p: float | None = None
    """Without effect."""
    frequency_penalty: float | None = None
    """Without effect."""
    presence_penalty: float | None = None
    """Without effect."""
    seed: int | None = None
    """Without effect."""
    max_tokens: int | None = Field(default=None, ge=1)
    """Without effect; answers are never cut."""
    max_completion_tokens: int | None = Field(default=None, ge=1)
    """Without effect."""
    reasoning_effort: str | None = None
    """Without effect."""
    verbosity: str | None = None
    """Without effect."""
    service_tier: str | None = None
    """Without effect."""
    store: bool | None = None
    """Without effect; every run is journaled."""
    user: str | None = None
    """Without effect."""
    safety_identifier: str | None = None
    """Without effect."""
    prompt_cache_key: str | None = None
    """Without effect."""

    @property
    def options(self) -> dict[str, str]:
        """The fields of the run request that `metadata` sets, as texts."""
        return {name: text for name, text in self.metadata.items() if name in _OPTIONS}

    @model_validator(mode="after")
    def _can_be_asked(self) -> ChatRequest:
        if self.messages[-1].role != "user":
            raise ValueError("messages: the last one must have the role 'user'")
        if not self.messages[-1].text.strip():
            raise ValueError("messages: the last one is empty")
        if self.response_format is not None and self.response_format.type != "text" and self.model == PLANS:
            raise ValueError(f"response_format: use {DIRECT} or a model's id, not {PLANS}")
        return self


def run_request(chat: ChatRequest) -> RunRequest:
    """Return the run request of a chat request.

    Raises:
        RequestError: an option in `metadata` is wrong, or the prompt is empty.
    """
    *earlier, last = chat.messages
    conversation = "\n\n".join(f"{message.role}: {message.text}" for message in earlier)
    context = [{"name": "conversation", "text": conversation}] if earlier else []
    options = {name: _decode(name, text) for name, text in chat.options.items()}
    labels = {name: text for name, text in chat.metadata.items() if name not in _OPTIONS}
    fields: dict[str, Any] = {"prompt": last.text, "context": context, "metadata": labels, **options}
    if chat.model != PLANS:
        form = chat.response_format
        output: OutputFormat = "text" if form is None or form.type == "text" else "json"
        graph = single_task(last.text, output=output).model_dump(mode="json", exclude_none=True)
        if form is not None and form.json_schema is not None:
            graph["tasks"][0]["checks"] = {"json_schema": form.json_schema.schema_}
        fields["plan"] = graph
    if chat.model not in (PLANS, DIRECT):
        fields["models"] = [chat.model]
    return parse_request(fields)


@contextmanager
def chat_field_names(chat: ChatRequest) -> Iterator[None]:
    """Let errors about the run request name the fields of the chat request it was made from."""
    try:
        yield
    except RequestError as error:
        if error.param in chat.options:
            raise RequestError(f"metadata.{error}", f"metadata.{error.param}") from error
        field = "messages" if error.param in ("prompt", "context") else error.param
        raise RequestError(str(error), field) from error


def _decode(name: str, text: str) -> Any:
    """Return the value that a text in `metadata` stands for."""
    if name == "models":
        return [model.strip() for model in text.split(",") if model.strip()]
    if name == "verify" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
