"""Checks of the Host and Origin headers of requests over TCP."""

from __future__ import annotations

from typing import get_args
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ai3ray.domain.access import AccessRules
from ai3ray.errors import Ai3Error, Forbidden, RequestError
from ai3ray.server.access.headers import SECURITY_HEADERS
from ai3ray.server.error_replies import error_response
from ai3ray.server.routing import Method
from ai3ray.settings.access_rules import host_name

_PREFLIGHT_HEADERS = {
    "access-control-allow-methods": ", ".join(get_args(Method)),
    "access-control-allow-headers": "authorization, x-api-key, content-type, idempotency-key, last-event-id",
    "access-control-max-age": "600",
}
_EXPOSED_HEADERS = "x-ai3-run-id, retry-after, location"
# This header makes Ray Serve ignore a disconnect, so a stream would continue, unread, until the run ends.
_IGNORES_DISCONNECT = "x-request-disconnect-disabled"


class HostChecks:
    """ASGI middleware against DNS rebinding and foreign pages; it also sets security headers.

    Args:
        app: the protected app.
        rules: the allowed names and origins.
    """

    def __init__(self, app: ASGIApp, rules: AccessRules) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        try:
            self._check_host(headers)
            cross_origin = origin is not None and self._is_cross_origin(origin, headers)
            if _IGNORES_DISCONNECT in headers:
                raise RequestError(f"{_IGNORES_DISCONNECT}: this header is not allowed", _IGNORES_DISCONNECT)
        except Ai3Error as error:
            await error_response(error)(scope, receive, _with_headers(send, None))
            return
        send = _with_headers(send, origin if cross_origin else None)
        if cross_origin and scope["method"] == "OPTIONS":
            await Response(status_code=204, headers=_PREFLIGHT_HEADERS)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _check_host(self, headers: Headers) -> None:
        # Several Host headers are refused like a wrong one, since proxies differ in which one they route by.
        hosts = {host_name(value) for value in headers.getlist("host")}
        if self._rules.hosts and (len(hosts) != 1 or not hosts <= set(self._rules.hosts)):
            raise Forbidden("host name not allowed; add it to AI3_ALLOWED_HOSTS")

    def _is_cross_origin(self, origin: str, headers: Headers) -> bool:
        """Return True for an allowed page of another origin. Raises Forbidden for one that is not allowed."""
        if origin.lower() in self._rules.origins:
            return True
        if urlsplit(origin).netloc.lower() == headers.get("host", "").lower() != "":
            return False
        raise Forbidden("origin not allowed; add it to AI3_ALLOWED_ORIGINS")


def _with_headers(send: Send, origin: str | None) -> Send:
    """Return a `send` that adds the security headers, and the CORS headers for a page of `origin`."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers[name] = value
            headers.setdefault("cache-control", "no-store")
            if origin is not None:
                headers["access-control-allow-origin"] = origin
                headers["access-control-expose-headers"] = _EXPOSED_HEADERS
                headers.add_vary_header("origin")
        await send(message)

    return send_with_headers
