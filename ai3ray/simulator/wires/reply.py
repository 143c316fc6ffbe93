"""Send the status, headers and body of a reply."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.types import Send

from ai3ray.simulator.host.client_connection import ClientConnection
from ai3ray.simulator.limits.accounts import VendorAccount
from ai3ray.simulator.simulation import Simulation
from ai3ray.simulator.wires.parsed_request import RequestRefused
from ai3ray.simulator.wires.wire import Wire, encoded

JSON = "application/json"
HTML = "text/html"
_BAD_GATEWAY = b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>502 Bad Gateway</body>\r\n</html>\r\n"


class WireReply:
    """The reply to one request."""

    def __init__(
        self, simulation: Simulation, wire: Wire, account: VendorAccount, connection: ClientConnection, send: Send
    ) -> None:
        self.simulation = simulation
        self.wire = wire
        self.connection = connection
        self.request_id = simulation.next_id()
        self.rates: Mapping[str, str] | None = None
        """The rate headers; the current ones when None."""
        self._account = account
        self._send = send

    async def start(
        self, status: int, media_type: str, *, length: int | None = None, refused: RequestRefused | None = None
    ) -> None:
        """Send status and headers."""
        fields = self.wire.headers(self.request_id, refused)
        fields |= self._account.limits.headers(self.simulation.clock()) if self.rates is None else self.rates
        fields["content-type"] = media_type
        if length is not None:
            fields["content-length"] = str(length)
        headers = [(name.encode(), value.encode()) for name, value in fields.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def body(self, data: bytes, *, more: bool = False) -> None:
        """Send a part of the body, the last one unless `more`."""
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def refuse(self, refused: RequestRefused) -> None:
        """Send a refusal."""
        status, body = self.wire.refusal(refused, self.request_id)
        data, media_type = encoded(body), JSON
        if refused.reason == "bad_gateway":
            data, media_type = _BAD_GATEWAY, HTML  # a gateway does not know the vendor's format
        await self.start(status, media_type, length=len(data), refused=refused)
        await self.body(data)
