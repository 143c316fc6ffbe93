"""Serve chat calls."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from starlette.types import Receive, Scope, Send

from ai3ray.simulator.answer_sender import AnswerSender
from ai3ray.simulator.billing import BilledCall
from ai3ray.simulator.host.client_connection import ClientConnection
from ai3ray.simulator.simulation import Simulation
from ai3ray.simulator.vendors import VendorName, vendor_of
from ai3ray.simulator.wires.completions import CompletionsWire
from ai3ray.simulator.wires.messages import MessagesWire
from ai3ray.simulator.wires.parsed_request import ParsedRequest, RequestRefused
from ai3ray.simulator.wires.reply import WireReply
from ai3ray.simulator.wires.wire import Wire, compact

_READ = {name.encode(): name for name in ("authorization", "x-api-key", "anthropic-version")}
_WIRES: dict[VendorName, Wire] = {
    "anthropic": MessagesWire(),
    "openai": CompletionsWire(),
    "xai": CompletionsWire(xai=True),
}


class ReceivedCall(NamedTuple):
    """A request as received."""

    vendor: VendorName
    body: Mapping[str, Any]
    """The decoded body; empty unless it is a JSON object."""
    size: int
    headers: Mapping[str, str]
    connection: ClientConnection

    @property
    def key(self) -> str:
        """The API key from either header, or an empty string."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return self.headers.get("x-api-key") or (token.strip() if scheme.lower() == "bearer" else "")


class ChatEndpoint:
    """A route for chat calls to a vendor; without a vendor, the model decides."""

    def __init__(self, simulation: Simulation, vendor: VendorName | None) -> None:
        self._simulation = simulation
        self._vendor = vendor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, refuse or break one request; stop when the client disconnects."""
        raw = await read_body(receive)
        if raw is None:
            return
        data = decoded(raw)
        body = data if isinstance(data, Mapping) else {}
        headers = {_READ[name]: value.decode("latin-1") for name, value in scope["headers"] if name in _READ}
        vendor = self._vendor or vendor_of(body.get("model"))
        await self._serve(ReceivedCall(vendor, body, len(raw), headers, ClientConnection.of(scope)), send)

    async def _serve(self, received: ReceivedCall, send: Send) -> None:
        simulation, wire = self._simulation, _WIRES[received.vendor]
        account = simulation.accounts.of(received.vendor, received.key)
        reply = WireReply(simulation, wire, account, received.connection, send)
        call: BilledCall | None = None
        try:
            request = self._understood(received)
            call = simulation.ledger.begin(request, reply.request_id, account.label)
            admitted = simulation.admit(request, account, received.key)
        except RequestRefused as refused:
            if call is not None:
                call.status, call.fault = wire.refusal(refused, reply.request_id)[0], refused.fault
                simulation.ledger.end(call, None)
            await reply.refuse(refused)
            return
        await AnswerSender(reply, call, request, admitted).run()

    def _understood(self, received: ReceivedCall) -> ParsedRequest:
        if received.headers.get("authorization") and not received.key:
            raise RequestRefused("auth", "You did not provide an API key.")
        if received.size > self._simulation.settings.body_bytes:
            raise RequestRefused("too_large", "Request exceeds the maximum size")
        return _WIRES[received.vendor].read(received.body, received.headers, received.vendor)


async def read_body(receive: Receive) -> bytes | None:
    """Return a request's body; None when the client disconnects first."""
    parts: list[bytes] = []
    while (message := await receive())["type"] == "http.request":
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)
    return None


def decoded(raw: bytes) -> Any:
    """Return the JSON of a body; None if it is invalid, as half a surrogate pair is for the vendors."""
    try:
        data = json.loads(raw)
        if b"\\ud" in raw.lower():
            compact(data).encode()
    except ValueError:
        return None
    return data
