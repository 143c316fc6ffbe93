"""Make one call over HTTP."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any, Protocol

from ai3ray.domain.call import ModelCall, Reply
from ai3ray.errors import MalformedReply, StreamCut
from ai3ray.providers.failures.deadline import Deadline
from ai3ray.providers.failures.translate import ProviderAccount, request_id
from ai3ray.providers.port import OnText
from ai3ray.providers.rates import rate_headers
from ai3ray.providers.reply_parser import ErrorInBody, ReplyParser, json_object
from ai3ray.providers.sse import EventDecoder, ServerSentEvent
from ai3ray.providers.usage import resolve_usage

LINGER_S = 0.5
"""Seconds to wait for a stream's end after its terminal event, so that the connection can be reused."""


class HttpReply(Protocol):
    """A reply of either SDK with its body unread."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers."""
        ...

    async def read(self) -> bytes:
        """Read the whole body."""
        ...

    def iter_bytes(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives."""
        ...


Opener = Callable[[], AbstractAsyncContextManager[Any]]
"""A function that sends the request, and gives an HttpReply of status 200 or raises the SDK's error."""


class Exchange:
    """One call, read within its time limits, with its failure translated."""

    def __init__(self, account: ProviderAccount, call: ModelCall, parser: ReplyParser, on_text: OnText | None) -> None:
        self._account = account
        self._call = call
        self._parser = parser
        self._on_text = on_text
        self._headers: Mapping[str, str] | None = None
        self._began = time.perf_counter()
        self._first_token_s: float | None = None
        self._on_text_failed = False

    async def run(self, open_reply: Opener) -> Reply:
        """Send the request and read the reply. Raises ProviderError for any failure of the call."""
        timeouts = self._call.timeouts
        first_s = None if self._on_text is None else timeouts.first_token_s
        failure: Exception | None = None
        try:
            async with (
                Deadline(timeouts.total_s, f"the call took longer than {timeouts.total_s:g} s"),
                Deadline(first_s, f"no output within {first_s or 0:g} s") as silence,
                open_reply() as reply,
            ):
                self._headers = reply.headers
                if self._on_text is None:
                    self._parser.read_body(json_object(await reply.read()))
                else:
                    await self._stream(reply, self._on_text, silence)
        except Exception as error:  # noqa: BLE001 - raised below
            failure = self._failure(error)
        if failure is not None:
            raise failure  # outside of `except`, whose context might show the key
        return self._reply()

    def _failure(self, error: Exception) -> Exception | None:
        if self._on_text_failed:
            return error
        if self._parser.result() is not None:  # after the terminal event nothing can be lost
            return None
        failure = self._account.translate(error, self._call, self._headers)
        if failure is not None and self._headers is not None:
            usage, text = self._parser.partial()
            failure.usage = resolve_usage(usage, self._call.prompt, text)
        return failure or error

    async def _stream(self, reply: HttpReply, on_text: OnText, silence: Deadline) -> None:
        decoder, opening, events = EventDecoder(), b"", 0
        async with aclosing(reply.iter_bytes()) as chunks:  # type: ignore[type-var]
            async for chunk in chunks:
                opening = opening or chunk
                for event in decoder.feed(chunk):
                    events += 1
                    self._consume(event, on_text, silence)
        if self._parser.result() is None:
            raise _incomplete(opening, events)

    def _consume(self, event: ServerSentEvent, on_text: OnText, silence: Deadline) -> None:
        text = self._parser.read_event(event)
        if text is not None:
            if self._first_token_s is None:
                self._first_token_s = time.perf_counter() - self._began
            idle_s = self._call.timeouts.idle_s
            silence.restart(idle_s, f"no output for {idle_s:g} s in the middle of the reply")
        if text:
            self._on_text_failed = True  # until it has returned
            on_text(text)
            self._on_text_failed = False
        if self._parser.result() is not None:
            silence.restart(LINGER_S, "the stream was not closed")

    def _reply(self) -> Reply:
        parsed = self._parser.result()
        if parsed is None:
            raise MalformedReply("the reply is incomplete")
        headers = self._headers or {}
        usage = resolve_usage(parsed.usage, self._call.prompt, parsed.text)
        return Reply(
            text=parsed.text,
            finish=parsed.finish,
            usage=usage,
            model=parsed.model or self._call.model,
            request_id=request_id(headers),
            first_token_s=self._first_token_s,
            seconds=time.perf_counter() - self._began,
            cost_usd=None if usage.estimated else parsed.cost_usd,  # a bill beside impossible counts is not believed
            rate=rate_headers(headers),
        )


def _incomplete(opening: bytes, events: int) -> Exception:
    """Return the error for a stream without a terminal event."""
    if events or not opening:
        return StreamCut("the stream ended before its terminal event")
    try:
        json_object(opening)
    except MalformedReply:
        pass
    except ErrorInBody as error:
        return error
    return MalformedReply(f"the reply is not an event stream; it begins {opening[:80].decode(errors='replace')!r}")
