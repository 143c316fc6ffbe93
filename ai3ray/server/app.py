"""Build the Starlette app of the HTTP API."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect

from ai3ray.errors import Ai3Error
from ai3ray.server.access.host_checks import HostChecks
from ai3ray.server.access.keys import Access
from ai3ray.server.endpoints import ENDPOINTS
from ai3ray.server.engine_gate import EngineGate
from ai3ray.server.error_replies import on_ai3_error, on_crash, on_disconnect, on_http_error
from ai3ray.server.routing import ApiHost, Endpoint, make_routes

PING_S = 15.0


def build_app(
    gate: EngineGate,
    *,
    access: Access | None = None,
    endpoints: Sequence[Endpoint] = ENDPOINTS,
    controls: Sequence[Endpoint] = (),
    ping_s: float = PING_S,
) -> Starlette:
    """Build the app over one engine.

    Args:
        gate: leads to the engine; requests wait while it boots.
        access: keys and limits of a host on TCP; None on a private socket.
        endpoints: the documented API.
        controls: undocumented endpoints under `/head`, for private sockets only.
        ping_s: seconds of silence after which a stream sends a comment.
    """
    host = ApiHost(gate, access, ping_s, tuple(endpoints))
    app = Starlette(
        routes=make_routes([*endpoints, *controls], host),
        exception_handlers={
            Ai3Error: on_ai3_error,
            HTTPException: on_http_error,
            ClientDisconnect: on_disconnect,
            Exception: on_crash,
        },
        middleware=[Middleware(HostChecks, rules=access.rules)] if access is not None else [],
    )
    app.router.redirect_slashes = False
    return app
