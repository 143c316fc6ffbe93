"""Anthropic's Messages API, through its official SDK."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ai3ray.domain.call import FinishReason, ModelCall, Reply
from ai3ray.errors import MalformedReply
from ai3ray.providers.exchange import Exchange
from ai3ray.providers.failures.translate import ProviderAccount
from ai3ray.providers.port import OnText
from ai3ray.providers.reply_parser import ErrorInBody, ParsedReply, json_object, mapping, text
from ai3ray.providers.sdk import LazyClient, connection_limits, transport_timeouts
from ai3ray.providers.sse import ServerSentEvent
from ai3ray.providers.usage import ReportedUsage, token_count

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

FINISH: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refusal",
}

MIN_CACHED_CHARS = 2048
"""About 512 tokens: no model caches a shorter prompt, and a mark on one has no effect."""


class AnthropicChat:
    """A ChatModel of Anthropic's servers, or of any that speak its Messages API."""

    def __init__(self, account: ProviderAccount) -> None:
        self._account = account
        self._client = LazyClient(lambda: _client(account))

    def __repr__(self) -> str:
        return f"AnthropicChat({self._account.provider!r}, {self._account.host!r})"

    async def send(self, call: ModelCall, on_text: OnText | None = None) -> Reply:
        """Make one call."""
        client = await self._client.get()
        request = _request(call, stream=on_text is not None)
        exchange = Exchange(self._account, call, AnthropicReplyParser(), on_text)
        return await exchange.run(lambda: client.messages.with_streaming_response.create(**request))

    async def aclose(self) -> None:
        """Close the connections."""
        if self._client.made is not None:
            await self._client.made.close()


class AnthropicReplyParser:
    """A ReplyParser of the Messages API."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._usage: dict[str, Any] = {}
        self._model: str | None = None
        self._stop_reason: str | None = None
        self._complete = False

    def read_event(self, event: ServerSentEvent) -> str | None:
        """Read an event."""
        body = json_object(event.data)
        match body.get("type", event.name):
            case "message_start":
                self._read_message(mapping(body.get("message")))
            case "content_block_start":
                return self._read_text(mapping(body.get("content_block"))) or None
            case "content_block_delta":
                return self._read_text(mapping(body.get("delta")))
            case "message_delta":
                self._stop_reason = text(mapping(body.get("delta")).get("stop_reason")) or self._stop_reason
                self._read_usage(body.get("usage"))
            case "message_stop":
                self._complete = True
            case "error":
                raise ErrorInBody(body)
        return None  # the protocol may add events of other types

    def read_body(self, body: Mapping[str, Any]) -> None:
        """Read an unstreamed body."""
        if not isinstance(body.get("content"), list) or not body.get("stop_reason"):
            raise MalformedReply("the reply has no content or no stop_reason")
        self._read_message(body)
        for block in body["content"]:
            self._read_text(mapping(block))
        self._stop_reason = text(body.get("stop_reason"))
        self._complete = True

    def result(self) -> ParsedReply | None:
        """Return the reply once complete."""
        if not self._complete:
            return None
        finish = FINISH.get(self._stop_reason or "", "other")
        return ParsedReply("".join(self._pieces), finish, self._reported_usage(), self._model)

    def partial(self) -> tuple[ReportedUsage, str]:
        """Return what came of a cut reply."""
        return self._reported_usage()._replace(output_tokens=None), "".join(self._pieces)

    def _read_message(self, message: Mapping[str, Any]) -> None:
        self._model = text(message.get("model")) or None
        self._read_usage(message.get("usage"))

    def _read_text(self, part: Mapping[str, Any]) -> str:
        # Thinking and tool input are part of the reply, but not of its text.
        piece = text(part.get("text"))
        if piece:
            self._pieces.append(piece)
        return piece

    def _read_usage(self, usage: Any) -> None:
        # message_delta's counts are cumulative and replace those of message_start.
        self._usage.update({name: value for name, value in mapping(usage).items() if value is not None})

    def _reported_usage(self) -> ReportedUsage:
        fresh = token_count(self._usage.get("input_tokens"))
        cached = token_count(self._usage.get("cache_read_input_tokens"))
        stored = token_count(self._usage.get("cache_creation_input_tokens"))
        # `input_tokens` counts only what was neither read from the cache nor written to it.
        total = None if fresh is None else fresh + (cached or 0) + (stored or 0)
        return ReportedUsage(total, cached, stored, token_count(self._usage.get("output_tokens")))


def _request(call: ModelCall, *, stream: bool) -> dict[str, Any]:
    prompt = call.prompt
    turns: list[dict[str, Any]] = [{"role": message.role, "content": message.text} for message in prompt.messages]
    if len(prompt.beginning) >= MIN_CACHED_CHARS:
        # A beginning shared with other calls is a block of its own, marked for the cache.
        first = prompt.messages[0].text
        shared = {"type": "text", "text": first[: prompt.shared_chars], "cache_control": {"type": "ephemeral"}}
        turns[0]["content"] = [shared, {"type": "text", "text": first[prompt.shared_chars :]}]
    request: dict[str, Any] = {
        "model": call.model,
        "max_tokens": prompt.max_output_tokens,
        "messages": turns,
        "stream": stream,
        "timeout": transport_timeouts(call.timeouts),
    }
    if prompt.system:
        request["system"] = prompt.system
    if prompt.json_schema is not None:
        request["output_config"] = {"format": {"type": "json_schema", "schema": prompt.json_schema}}
    if prompt.temperature is not None:
        # Version 2 of the SDK has no argument for it: current models refuse it, older servers accept it.
        request["extra_body"] = {"temperature": prompt.temperature}
    return request


def _client(account: ProviderAccount) -> AsyncAnthropic:
    from anthropic import AsyncAnthropic, DefaultAioHttpClient

    # The SDK warns at every call of a model with a retirement date; the model's card has that date.
    warnings.filterwarnings("ignore", r"The model '[^']*' is deprecated", DeprecationWarning)
    client = AsyncAnthropic(
        api_key=account.key,
        base_url=account.base_url.removesuffix("/v1"),  # the SDK appends /v1/messages; users copy either form
        max_retries=0,
        open_telemetry=False,
        http_client=DefaultAioHttpClient(limits=connection_limits(), follow_redirects=False),
    )
    # The constructor takes headers from ANTHROPIC_CUSTOM_HEADERS, and no argument stops it.
    client._custom_headers = {}  # noqa: SLF001
    return client
