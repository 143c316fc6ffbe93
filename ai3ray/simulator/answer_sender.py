"""Send the answer to an admitted request."""

from __future__ import annotations

import asyncio
import time
from functools import cached_property

from ai3ray.simulator.author.author import write
from ai3ray.simulator.billing import BilledCall
from ai3ray.simulator.fault_rules import FaultName
from ai3ray.simulator.host.client_connection import ConnectionAborted
from ai3ray.simulator.pricing import UsedTokens
from ai3ray.simulator.response_times import AnswerSpeed
from ai3ray.simulator.simulation import AdmittedRequest
from ai3ray.simulator.wires.parsed_request import (
    CHARS_PER_TOKEN,
    ParsedRequest,
    RequestRefused,
    WrittenAnswer,
    tokens,
    tokens_of,
)
from ai3ray.simulator.wires.reply import HTML, JSON, WireReply
from ai3ray.simulator.wires.wire import ReplyContent, encoded

_STREAM = "text/event-stream; charset=utf-8"
_NO_STREAM = b"<!doctype html><html><body>Please sign in to continue.</body></html>"
_HALF_EVENT = b'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"text":"unfin\n\n'
_BREAKING: frozenset[FaultName] = frozenset({"stall", "cut", "eof", "error_event", "malformed"})
_OK = 200


class AnswerSender:
    """The sender of one answer."""

    def __init__(self, reply: WireReply, call: BilledCall, request: ParsedRequest, admitted: AdmittedRequest) -> None:
        self._reply = reply
        reply.rates = admitted.rates
        self._simulation = reply.simulation
        self._call = call
        self._request = request
        self._admitted = admitted
        self._fault = admitted.fault
        self._fault_name: FaultName | None = admitted.fault.fault if admitted.fault else None
        self._sent_chars = 0
        self._unsent = b""
        call.fault = self._fault_name

    async def run(self) -> None:
        """Answer until done or until the client disconnects."""
        connection = self._reply.connection
        connection.watch()
        try:
            if self._fault is not None:
                await self._fail_before_first_byte(self._fault.seconds, self._fault.outage_s)
            if self._fault_name == "not_a_stream":
                await self._send_invalid(HTML, _NO_STREAM)
            elif self._request.stream:
                await self._send_stream()
            else:
                await self._send_whole()
        except ConnectionAborted:
            pass
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not connection.lost or task is None:
                raise
            task.uncancel()
            self._call.cancelled = self._call.ended is None
        finally:
            connection.unwatch()
            self._settle(complete=False)

    @cached_property
    def _written(self) -> WrittenAnswer:
        settings = self._simulation.settings
        return write(self._request, settings.seed, self._fault_name, settings.answers)

    @cached_property
    def _content(self) -> ReplyContent:
        request, call = self._request, self._call
        used = self._admitted.cache_read.used(request.input_tokens, self._written.output_tokens)
        ticks = self._simulation.ledger.ticks(request.model, used)
        return ReplyContent(call.request_id, request, self._written, used, ticks, int(call.started))

    @cached_property
    def _speed(self) -> AnswerSpeed:
        return self._simulation.answer_speed(self._request)

    @cached_property
    def _frame(self) -> tuple[bytes, bytes]:
        return self._reply.wire.frame(self._content)

    async def _fail_before_first_byte(self, stall_s: float, outage_s: float) -> None:
        match self._fault_name:
            case "refuse_connection":
                await self._reply.connection.abort()
            case "outage":
                await self._reply.connection.outage(outage_s)
            case "stall_first_byte":
                await asyncio.sleep(stall_s)

    async def _send_whole(self) -> None:
        size = self._written.output_tokens
        if self._admitted.cache_read.entries:
            await asyncio.sleep(self._speed.first_token_s)
            self._answer_began()
            await asyncio.sleep(self._speed.after(size, size) - self._speed.first_token_s)
        else:
            await asyncio.sleep(self._speed.after(size, size))
        data = encoded(self._reply.wire.whole(self._content))
        if self._fault_name in _BREAKING and await self._break_whole(data):
            return
        self._sent_chars, self._call.status = len(self._written.text), _OK
        self._settle(complete=True)
        await self._reply.start(_OK, JSON, length=len(data))
        await self._reply.body(data)

    async def _break_whole(self, data: bytes) -> bool:
        """Inject the fault into an answer that is not streamed; return whether that ended the reply."""
        half = data[: len(data) // 2]
        match self._fault_name:
            case "stall":
                assert self._fault is not None
                await asyncio.sleep(self._fault.seconds)
                return False
            case "cut":
                self._call.status = _OK
                await self._reply.start(_OK, JSON, length=len(data))
                await self._reply.body(half, more=True)
                self._settle(complete=False)
                await self._reply.connection.abort()
            case "error_event":
                refused = RequestRefused("overloaded", "Overloaded")
                body = self._reply.wire.refusal(refused, self._call.request_id)[1]
                await self._send_invalid(JSON, encoded(body))
            case _:
                await self._send_invalid(JSON, half)
        return True

    async def _send_invalid(self, media_type: str, data: bytes) -> None:
        """Send a body that is no answer, with status 200."""
        self._call.status = _OK
        self._settle(complete=False)
        await self._reply.start(_OK, media_type, length=len(data))
        await self._reply.body(data)

    async def _send_stream(self) -> None:
        wire, content = self._reply.wire, self._content
        began = asyncio.get_running_loop().time()
        self._call.status = _OK
        await self._reply.start(_OK, _STREAM)
        self._unsent = b"".join(wire.opening(content))  # sent together with the first piece
        if not await self._send_pieces(began):
            await self._send(b"", more=False)
            return
        size = tokens(self._written.text)
        await _until(began + self._speed.after(size, size))
        self._simulation.answer_began(self._admitted)  # also when there was no piece
        self._settle(complete=True)
        await self._send(b"".join(wire.closing(content)), more=False)

    async def _send(self, data: bytes, *, more: bool = True) -> None:
        data, self._unsent = self._unsent + data, b""
        await self._reply.body(data, more=more)

    async def _send_pieces(self, began: float) -> bool:
        """Send the text in pieces; return False when a fault has ended the stream."""
        size = self._simulation.pace.piece_tokens
        text, of = self._written.text, tokens(self._written.text)
        count = -(-of // size)
        breaks_at = min(self._fault.after, count) if self._fault and self._fault_name in _BREAKING else -1
        sent = 0
        while True:
            if sent == breaks_at:
                if not await self._break_stream():
                    return False
                breaks_at = -1
            if sent == count:
                return True
            now = await _until(began + self._speed.after(sent * size, of))
            if sent == 0:
                self._answer_began()
            end = sent + 1
            # Pieces that have become due meanwhile are sent along, up to the next break.
            while end < count and end != breaks_at and began + self._speed.after(end * size, of) <= now:
                end += 1
            await self._send_text(text, sent, end)
            sent = end

    async def _send_text(self, text: str, start: int, end: int) -> None:
        width = CHARS_PER_TOKEN * self._simulation.pace.piece_tokens
        before, after = self._frame
        pieces = (text[at : at + width] for at in range(start * width, end * width, width))
        await self._send(b"".join([before + encoded(piece) + after for piece in pieces]))
        sent_chars = min(len(text), end * width)
        self._simulation.record_output(self._admitted, tokens_of(sent_chars) - tokens_of(self._sent_chars))
        self._sent_chars = sent_chars

    async def _break_stream(self) -> bool:
        """Inject the fault into the stream; return whether the stream goes on."""
        if self._unsent:
            await self._send(b"")
        match self._fault_name:
            case "stall":
                assert self._fault is not None
                await asyncio.sleep(self._fault.seconds)
                return True
            case "cut":
                self._settle(complete=False)
                await self._reply.connection.abort()
            case "error_event":
                await self._send(self._reply.wire.error_event(self._call.request_id))
            case "malformed":
                await self._send(_HALF_EVENT)
        self._settle(complete=False)
        return False

    def _answer_began(self) -> None:
        if self._request.stream:
            self._call.first_token = time.time()
        self._simulation.answer_began(self._admitted)

    def _settle(self, *, complete: bool) -> None:
        """Write the bill and release the limits, once, before the last byte: a client with the answer finds both."""
        if self._call.ended is not None:
            return
        self._call.complete = complete
        used: UsedTokens | None = None
        if self._call.status == _OK:
            sent = tokens_of(self._sent_chars)
            partial = self._admitted.cache_read.used(self._request.input_tokens, sent)
            used = self._content.used if complete else partial
        ticks = self._simulation.ledger.end(self._call, used)
        self._simulation.finish(self._admitted, used, ticks)


async def _until(moment: float) -> float:
    """Sleep until a moment of the loop's clock, so that late wake-ups do not add up, and return the time."""
    loop = asyncio.get_running_loop()
    wait_s = moment - loop.time()
    if wait_s > 0:
        await asyncio.sleep(wait_s)
    return max(moment, loop.time())
