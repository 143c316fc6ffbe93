"""Anthropic's Messages API, through its official SDK."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ai3ray.domain.call import FinishReason, ModelCall, Prompt, Reply
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
"""Below some 512 tokens no model's cache keeps a prompt's beginning, and a mark has no effect."""


class AnthropicChat:
    """A ChatModel of Anthropic's own servers, or of any that speak its Messages API.

    Args:
        provider: its name in the configuration.
        api_key: the key; sent as bearer token.
        base_url: where it listens, without `/v1`.
    """

    def __init__(self, *, provider: str, api_key: str, base_url: str) -> None:
        self._account = ProviderAccount.at(provider, base_url, api_key)
        self._client = LazyClient(lambda: _client(api_key, base_url))

    def __repr__(self) -> str:
        return f"AnthropicChat({self._account.provider!r}, {self._account.host!r})"

    async def send(self, call: ModelCall, on_text: OnText | None = None) -> Reply:
        """Make one call; see ChatModel."""
        client = await self._client.get()
        request = _request(call, stream=on_text is not None)
        exchange = Exchange(self._account, call, AnthropicReplyParser(), on_text)
        return await exchange.run(lambda: client.messages.with_streaming_response.create(**request))

    async def aclose(self) -> None:
        """Close the connections."""
        if self._client.made is not None:
            await self._client.made.close()


class AnthropicReplyParser:
    """Understands one answer of the Messages API."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._usage: dict[str, Any] = {}
        self._model: str | None = None
        self._stop_reason: str | None = None
        self._complete = False

    def read_event(self, event: ServerSentEvent) -> str | None:
        """Take in an event; see Reading."""
        body = json_object(event.data)
        match body.get("type", event.name):
            case "message_start":
                self._message(mapping(body.get("message")))
            case "content_block_start":
                return self._piece(mapping(body.get("content_block"))) or None
            case "content_block_delta":
                return self._piece(mapping(body.get("delta")))
            case "message_delta":
                self._stop_reason = text(mapping(body.get("delta")).get("stop_reason")) or self._stop_reason
                self._count(body.get("usage"))
            case "message_stop":
                self._complete = True
            case "error":
                raise ErrorInBody(body)
        return None  # events of other types are to be tolerated

    def read_body(self, body: Mapping[str, Any]) -> None:
        """Take in a body; see Reading."""
        if not isinstance(body.get("content"), list) or not body.get("stop_reason"):
            raise MalformedReply("the answer has no content or no stop_reason")
        self._message(body)
        for block in body["content"]:
            self._piece(mapping(block))
        self._stop_reason = text(body.get("stop_reason"))
        self._complete = True

    def result(self) -> ParsedReply | None:
        """The answer; see Reading."""
        if not self._complete:
            return None
        finish = FINISH.get(self._stop_reason or "", "other")
        return ParsedReply("".join(self._pieces), finish, self._reported_usage(), self._model)

    def partial(self) -> tuple[ReportedUsage, str]:
        """What there is of an answer that broke off; see Reading."""
        return self._reported_usage()._replace(output_tokens=None), "".join(self._pieces)

    def _message(self, message: Mapping[str, Any]) -> None:
        self._model = text(message.get("model")) or None
        self._count(message.get("usage"))

    def _piece(self, part: Mapping[str, Any]) -> str:
        # Thinking and tool input are pieces of the answer, but none of its text.
        piece = text(part.get("text"))
        if piece:
            self._pieces.append(piece)
        return piece

    def _count(self, usage: Any) -> None:
        # message_delta's counts are cumulative and replace those of message_start.
        self._usage.update({name: value for name, value in mapping(usage).items() if value is not None})

    def _reported_usage(self) -> ReportedUsage:
        fresh = token_count(self._usage.get("input_tokens"))
        cached = token_count(self._usage.get("cache_read_input_tokens"))
        stored = token_count(self._usage.get("cache_creation_input_tokens"))
        # `input_tokens` is the part that neither came from the cache nor went into it.
        total = None if fresh is None else fresh + (cached or 0) + (stored or 0)
        return ReportedUsage(total, cached, stored, token_count(self._usage.get("output_tokens")))


def _request(call: ModelCall, *, stream: bool) -> dict[str, Any]:
    prompt = call.prompt
    request: dict[str, Any] = {
        "model": call.model,
        "max_tokens": prompt.max_output_tokens,
        "messages": _turns(prompt),
        "stream": stream,
        "timeout": transport_timeouts(call.timeouts),
    }
    if prompt.system:
        request["system"] = prompt.system
    if prompt.json_schema is not None:
        request["output_config"] = {"format": {"type": "json_schema", "schema": prompt.json_schema}}
    if prompt.temperature is not None:
        # Version 2 of the SDK took it out of the signature: current models refuse it, older servers want it.
        request["extra_body"] = {"temperature": prompt.temperature}
    return request


def _turns(prompt: Prompt) -> list[dict[str, Any]]:
    """The conversation. What other calls begin with, too, is a block of its own, marked to be kept for them."""
    turns: list[dict[str, Any]] = [{"role": message.role, "content": message.text} for message in prompt.messages]
    if len(prompt.beginning) >= MIN_CACHED_CHARS:
        first = prompt.messages[0].text
        shared = {"type": "text", "text": first[: prompt.shared_chars], "cache_control": {"type": "ephemeral"}}
        turns[0]["content"] = [shared, {"type": "text", "text": first[prompt.shared_chars :]}]
    return turns


def _client(api_key: str, base_url: str) -> AsyncAnthropic:
    from anthropic import AsyncAnthropic, DefaultAioHttpClient

    # It warns of models that will be retired, at every call. Who picks a model looks at its card, which says when.
    warnings.filterwarnings("ignore", r"The model '[^']*' is deprecated", DeprecationWarning)
    client = AsyncAnthropic(
        api_key=api_key,
        base_url=base_url,
        max_retries=0,
        open_telemetry=False,
        http_client=DefaultAioHttpClient(limits=connection_limits(), follow_redirects=False),
    )
    # The constructor takes headers from ANTHROPIC_CUSTOM_HEADERS, and has no argument that stops it.
    client._custom_headers = {}  # noqa: SLF001
    return client
