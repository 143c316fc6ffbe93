"""One request, from its bytes to the last byte of the answer."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any

from starlette.types import Receive, Scope, Send

from ai3ray.simulator.asked import CHARS_PER_TOKEN, Asked, Refused, Written, tokens
from ai3ray.simulator.author import write
from ai3ray.simulator.faults import Fault
from ai3ray.simulator.ledger import Call
from ai3ray.simulator.settings import Account
from ai3ray.simulator.simulation import Simulation, key_of
from ai3ray.simulator.wire import Sheet, Wire, compact

_STREAM = "text/event-stream; charset=utf-8"
_JSON = "application/json"
_NO_STREAM = b"<!doctype html><html><body>Please sign in to continue.</body></html>"
_HALF_EVENT = b'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"text":"unfin\n\n'


class Aborted(Exception):
    """The connection was torn down on purpose."""


class Serving:
    """Serves one request of one account.

    Args:
        simulation: the providers' state.
        wire: the format it came in.
        account: whom it was sent to.
        scope: of the ASGI request.
        send: where the answer goes.
    """

    def __init__(self, simulation: Simulation, wire: Wire, account: Account, scope: Scope, send: Send) -> None:
        self._simulation = simulation
        self._wire = wire
        self._account: Account = account
        self._scope = scope
        self._send = send
        self._request_id = simulation.next_id()

    async def serve(self, body: object, headers: Mapping[str, str], receive: Receive) -> None:
        """Answer, or refuse, or fail as a fault demands; stop when the client goes away."""
        try:
            asked = self._wire.read(body if isinstance(body, Mapping) else {}, headers, self._account)
        except Refused as refused:
            await self._refuse(refused)
            return
        call = self._simulation.ledger.begin(asked, self._request_id)
        try:
            fault = self._simulation.admit(asked, key_of(headers))
        except Refused as refused:
            await self._refuse(refused, call, asked)
            return
        await Answering(self, call, asked, fault).run(receive)

    @property
    def simulation(self) -> Simulation:
        """The providers' state."""
        return self._simulation

    @property
    def wire(self) -> Wire:
        """The format to answer in."""
        return self._wire

    async def start(
        self, status: int, media_type: str, *, length: int | None = None, wait_s: float | None = None
    ) -> None:
        """Send status and headers."""
        told = self._wire.headers(self._request_id, self._simulation.allowance(self._account), wait_s)
        told["content-type"] = media_type
        if length is not None:
            told["content-length"] = str(length)
        headers = [(name.encode(), value.encode()) for name, value in told.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def body(self, data: bytes, *, more: bool = False) -> None:
        """Send a part of the body; the last one unless there is more."""
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    def abort(self) -> None:
        """Tear the connection down. Raises Aborted."""
        self._scope["state"]["transport"].abort()
        raise Aborted

    async def _refuse(self, refused: Refused, call: Call | None = None, asked: Asked | None = None) -> None:
        status, body = self._wire.refusal(refused, self._request_id)
        if call is not None and asked is not None:
            call.status = status
            self._simulation.ledger.end(call, asked, None, "")
        data = compact(body).encode()
        await self.start(status, _JSON, length=len(data), wait_s=refused.retry_after_s)
        await self.body(data)


class Answering:
    """The answer to a request that was let in.

    Args:
        serving: the request.
        call: its entry in the ledger.
        asked: what it asks.
        fault: what is to go wrong, if anything.
    """

    def __init__(self, serving: Serving, call: Call, asked: Asked, fault: Fault | None) -> None:
        self._serving = serving
        self._call = call
        self._asked = asked
        self._fault = fault
        self._said = ""
        simulation = serving.simulation
        self._call.fault = fault.fault if fault else None
        self._written = write(asked, simulation.settings.seed, fault.fault if fault else None)
        price = simulation.settings.prices.get(asked.model)
        size = tokens(asked.prompt)
        cost = price.cost(size, self._written.output_tokens) if price else None
        self._sheet = Sheet(call.request_id, asked, self._written, cost, int(call.started))

    async def run(self, receive: Receive) -> None:
        """Answer until done or until the client is gone, whichever is first."""
        self._serving.simulation.busy[self._asked.account] += 1
        work = asyncio.ensure_future(self._stream() if self._asked.stream else self._whole())
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                self._call.cancelled = True
            elif isinstance(work.exception(), Aborted):
                await gone  # the server has to notice, too, or it would complain about the missing answer
            else:
                work.result()
        finally:
            work.cancel()
            gone.cancel()
            await asyncio.gather(work, gone, return_exceptions=True)
            self._settle(complete=False)

    def _settle(self, *, complete: bool) -> None:
        """Write the bill and give the place free. Before the last byte is sent: whoever has the answer finds both."""
        if self._call.ended is not None:
            return
        self._call.complete = complete
        simulation = self._serving.simulation
        simulation.busy[self._asked.account] -= 1
        simulation.ledger.end(self._call, self._asked, self._billed(), self._said)
        simulation.allowance(self._asked.account).correct(-self._call.output_tokens)

    def _billed(self) -> Written | None:
        return self._written if self._call.status == 200 else None

    async def _whole(self) -> None:
        tempo = self._serving.simulation.tempo(self._asked)
        await asyncio.sleep(tempo.first_token_s + self._written.output_tokens / tempo.tokens_per_s)
        data = compact(self._serving.wire.whole(self._sheet)).encode()
        if self._fault is not None and await self._break_whole(self._fault, data):
            return
        self._said, self._call.status = self._written.text, 200
        self._settle(complete=True)
        await self._start(_JSON, length=len(data))
        await self._serving.body(data)

    async def _break_whole(self, fault: Fault, data: bytes) -> bool:
        """Let the fault happen to an answer that is not streamed. Returns whether that was all."""
        match fault.fault:
            case "refuse_connection":
                self._serving.abort()
            case "stall":
                await asyncio.sleep(fault.seconds)
            case "cut":
                await self._start(_JSON, length=len(data))
                await self._serving.body(data[: len(data) // 2], more=True)
                self._settle(complete=False)
                self._serving.abort()
            case "error_event":
                refused = Refused("overloaded", "Overloaded")
                body = self._serving.wire.refusal(refused, self._call.request_id)[1]
                await self._broken(_JSON, compact(body).encode())
                return True
            case "eof" | "malformed":
                await self._broken(_JSON, data[: len(data) // 2])
                return True
            case "not_a_stream":
                await self._broken("text/html", _NO_STREAM)
                return True
        return False

    async def _broken(self, media_type: str, data: bytes) -> None:
        """Send something that is no answer, as if it were one."""
        self._call.status = 200
        self._settle(complete=False)
        await self._start(media_type, length=len(data))
        await self._serving.body(data)

    async def _start(self, media_type: str, *, length: int | None = None) -> None:
        self._call.status = 200
        await self._serving.start(200, media_type, length=length)

    async def _stream(self) -> None:
        fault = self._fault.fault if self._fault else None
        if fault == "refuse_connection":
            self._serving.abort()
        if fault == "not_a_stream":
            await self._broken("text/html", _NO_STREAM)
            return
        await self._start(_STREAM)
        wire, sheet = self._serving.wire, self._sheet
        await self._serving.body(b"".join(wire.opening(sheet)), more=True)
        if not await self._pieces():
            await self._serving.body(b"")
            return
        self._settle(complete=True)
        await self._serving.body(b"".join(wire.closing(sheet)))

    async def _pieces(self) -> bool:
        """Send the text piece by piece. Returns False when a fault has ended the stream."""
        tempo = self._serving.simulation.tempo(self._asked)
        width = CHARS_PER_TOKEN * self._serving.simulation.settings.pace.piece_tokens
        text, loop = self._written.text, asyncio.get_running_loop()
        begin = loop.time() + tempo.first_token_s
        pieces = [text[at : at + width] for at in range(0, len(text), width)]
        breaks_at = min(self._fault.after, len(pieces)) if self._fault else -1
        for index in range(len(pieces) + 1):
            if index == breaks_at and not await self._break():
                return False
            if index == len(pieces):
                break
            # Measured from the start, so that late wake-ups do not add up.
            await asyncio.sleep(begin + len(self._said) / CHARS_PER_TOKEN / tempo.tokens_per_s - loop.time())
            self._call.first_token = self._call.first_token or time.time()
            await self._serving.body(self._serving.wire.piece(self._sheet, pieces[index]), more=True)
            self._said += pieces[index]
        return True

    async def _break(self) -> bool:
        """Let the fault happen inside the stream. Returns whether the stream goes on."""
        assert self._fault is not None
        match self._fault.fault:
            case "stall":
                await asyncio.sleep(self._fault.seconds)
                return True
            case "cut":
                self._settle(complete=False)
                self._serving.abort()
            case "error_event":
                await self._serving.body(self._serving.wire.error_event(self._call.request_id), more=True)
            case "malformed":
                await self._serving.body(_HALF_EVENT, more=True)
            case "eof":
                pass
            case _:
                return True
        self._settle(complete=False)
        return False


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def decoded(raw: bytes) -> Any:
    """The JSON of a body; None when it is none."""
    try:
        return json.loads(raw)
    except ValueError:
        return None
