"""The Chat Completions API of OpenAI, xAI and compatible servers, through OpenAI's SDK."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from ai3ray.domain.call import FinishReason, ModelCall, Reply
from ai3ray.errors import MalformedReply
from ai3ray.providers.exchange import Exchange
from ai3ray.providers.failures.translate import ProviderAccount
from ai3ray.providers.port import OnText
from ai3ray.providers.reply_parser import ParsedReply, json_object, mapping, text
from ai3ray.providers.sdk import LazyClient, connection_limits, transport_timeouts
from ai3ray.providers.sse import ServerSentEvent
from ai3ray.providers.usage import ReportedUsage, token_count

if TYPE_CHECKING:
    from openai import AsyncOpenAI

FINISH: dict[str, FinishReason] = {"stop": "stop", "length": "length", "content_filter": "refusal"}

USD_PER_TICK = 1e-10
"""xAI's unit for the price of a call."""
MAX_TICKS = 10**13
"""1000 US dollars; a larger figure is a fault, not a price."""


class OpenAIChat:
    """A ChatModel of OpenAI, xAI or any server with Chat Completions.

    Args:
        account: base URL, with `/v1` where the server has it, and key.
        extra: request fields for the embedded model's server, which is called without proxy and keep-alive.
    """

    def __init__(self, account: ProviderAccount, *, extra: Mapping[str, Any] | None = None) -> None:
        self._account = account
        self._extra = extra
        self._client = LazyClient(lambda: _client(account, embedded=extra is not None))

    def __repr__(self) -> str:
        return f"OpenAIChat({self._account.provider!r}, {self._account.host!r})"

    async def send(self, call: ModelCall, on_text: OnText | None = None) -> Reply:
        """Make one call."""
        client = await self._client.get()
        request = _request(call, stream=on_text is not None)
        if self._account.provider == "openai" and (beginning := call.prompt.beginning):
            # OpenAI routes calls of one key to the machine that has cached their beginning; other servers may
            # refuse the field.
            request["prompt_cache_key"] = blake2b(beginning.encode(errors="replace"), digest_size=16).hexdigest()
        if self._extra is not None:
            request["extra_body"] = self._extra
        exchange = Exchange(self._account, call, OpenAIReplyParser(), on_text)
        return await exchange.run(lambda: client.chat.completions.with_streaming_response.create(**request))

    async def aclose(self) -> None:
        """Close the connections."""
        if self._client.made is not None:
            await self._client.made.close()


class OpenAIReplyParser:
    """A ReplyParser of the Chat Completions API."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._refusal: list[str] = []
        self._usage: Mapping[str, Any] = {}
        self._model: str | None = None
        self._finish: str | None = None
        self._complete = False

    def read_event(self, event: ServerSentEvent) -> str | None:
        """Read an event."""
        if event.data.startswith("[DONE]"):
            # Without a finish reason the end marker only means that the server stopped.
            self._complete = self._finish is not None
            return None
        body = json_object(event.data)
        self._read_fields(body)
        choice = _choice(body)
        return self._read_text(mapping(choice.get("delta"))) if choice else None

    def read_body(self, body: Mapping[str, Any]) -> None:
        """Read an unstreamed body."""
        choice = _choice(body)
        if not isinstance(choice.get("message"), Mapping) or not choice.get("finish_reason"):
            raise MalformedReply("the reply has no message or no finish_reason")
        self._read_fields(body)
        self._read_text(choice["message"])
        self._complete = True

    def result(self) -> ParsedReply | None:
        """Return the reply once complete."""
        if not self._complete:
            return None
        finish = "refusal" if self._refusal else FINISH.get(self._finish or "", "other")
        ticks = self._usage.get("cost_in_usd_ticks")
        if isinstance(ticks, bool) or not isinstance(ticks, int) or not 0 <= ticks <= MAX_TICKS:
            ticks = None
        return ParsedReply(
            text="".join(self._pieces or self._refusal),
            finish=finish,
            usage=_reported_usage(self._usage),
            model=self._model,
            cost_usd=None if ticks is None else ticks * USD_PER_TICK,
        )

    def partial(self) -> tuple[ReportedUsage, str]:
        """Return what came of a cut reply."""
        return _reported_usage(self._usage)._replace(output_tokens=None), "".join(self._pieces or self._refusal)

    def _read_fields(self, body: Mapping[str, Any]) -> None:
        self._model = text(body.get("model")) or self._model
        self._usage = mapping(body.get("usage")) or self._usage
        self._finish = text(_choice(body).get("finish_reason")) or self._finish

    def _read_text(self, part: Mapping[str, Any]) -> str | None:
        piece, refusal = text(part.get("content")), text(part.get("refusal"))
        if piece:
            self._pieces.append(piece)
        if refusal:
            self._refusal.append(refusal)
        thought = text(part.get("reasoning_content")) or text(part.get("reasoning"))
        return piece if piece or refusal or thought else None


def _choice(body: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = body.get("choices")
    return mapping(choices[0]) if isinstance(choices, list) and choices else {}


def _reported_usage(usage: Mapping[str, Any]) -> ReportedUsage:
    read, written = token_count(usage.get("prompt_tokens")), token_count(usage.get("completion_tokens"))
    details = mapping(usage.get("prompt_tokens_details"))
    reasoning = token_count(mapping(usage.get("completion_tokens_details")).get("reasoning_tokens")) or 0
    # OpenAI counts reasoning among the completion tokens, xAI beside them; only the total shows which.
    beside = usage.get("total_tokens") == (read or 0) + (written or 0) + reasoning
    if written is not None and reasoning and beside:
        written += reasoning
    return ReportedUsage(
        read, token_count(details.get("cached_tokens")), token_count(details.get("cache_write_tokens")), written
    )


def _request(call: ModelCall, *, stream: bool) -> dict[str, Any]:
    prompt = call.prompt
    turns = [{"role": message.role, "content": message.text} for message in prompt.messages]
    request: dict[str, Any] = {
        "model": call.model,
        "messages": [{"role": "system", "content": prompt.system}, *turns] if prompt.system else turns,
        "max_completion_tokens": prompt.max_output_tokens,
        "timeout": transport_timeouts(call.timeouts),
    }
    if stream:
        request |= {"stream": True, "stream_options": {"include_usage": True}}
    if prompt.temperature is not None:
        request["temperature"] = prompt.temperature
    if prompt.json_schema is not None:
        schema = {"name": prompt.schema_name, "strict": True, "schema": prompt.json_schema}
        request["response_format"] = {"type": "json_schema", "json_schema": schema}
    return request


def _client(account: ProviderAccount, *, embedded: bool) -> AsyncOpenAI:
    from openai import AsyncOpenAI, DefaultAioHttpClient

    client = AsyncOpenAI(
        api_key=account.key,
        base_url=account.base_url,
        max_retries=0,
        http_client=DefaultAioHttpClient(
            limits=connection_limits(keep_alive=not embedded), follow_redirects=False, trust_env=not embedded
        ),
    )
    # The constructor takes these from OPENAI_ORG_ID, OPENAI_PROJECT_ID and OPENAI_CUSTOM_HEADERS, and would send the
    # first two to other vendors' servers, too.
    client.organization = client.project = None
    client._custom_headers = {}  # noqa: SLF001
    return client
