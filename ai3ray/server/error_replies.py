"""JSON responses, and HTTP responses for errors."""

from __future__ import annotations

import logging
import math
from typing import Any

from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ai3ray.errors import Ai3Error, Throttled, Unauthenticated
from ai3ray.server.access.headers import SECURITY_HEADERS

_log = logging.getLogger("ai3ray.app")

_TYPES = {404: "not_found", 405: "method_not_allowed", 408: "too_slow", 409: "busy", 413: "too_large"}


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON response, with model fields by alias and NaN or infinity as null."""
    body = to_json(value, by_alias=True, inf_nan_mode="null")
    return Response(body, status, headers, media_type="application/json")


def error_envelope(status: int, kind: str, message: str, param: str | None = None, **headers: str) -> Response:
    """Return the response of an error."""
    error = {"type": kind, "message": message}
    return json_response({"error": error | ({"param": param} if param else {})}, status, headers)


def error_response(error: Ai3Error) -> Response:
    """Return the response of one of our errors."""
    message, headers = error.message, {}
    if isinstance(error, Unauthenticated):
        headers["www-authenticate"] = 'Bearer realm="ai3ray"'
    elif isinstance(error, Throttled):
        seconds = max(1, math.ceil(error.retry_after_s))
        message, headers["retry-after"] = f"{message}; retry in {seconds} s", str(seconds)
    return error_envelope(error.http_status, error.type, message, getattr(error, "param", None), **headers)


async def on_ai3_error(_request: Request, error: Exception) -> Response:
    """Answer one of our errors."""
    assert isinstance(error, Ai3Error)
    return error_response(error)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Answer an unknown path, a wrong method, or a body that is too large or too slow."""
    assert isinstance(error, HTTPException)
    message = error.detail
    if error.status_code == 404:
        message = f"there is no {request.url.path} here"
    elif error.status_code == 405:
        message = f"{request.url.path} does not allow {request.method}"
    kind = _TYPES.get(error.status_code, "error")
    return error_envelope(error.status_code, kind, message, None, **dict(error.headers or {}))


async def on_disconnect(_request: Request, _error: Exception) -> Response:
    """Answer a client that disconnected while it sent its request; it will not read this."""
    return Response(status_code=400)


async def on_crash(request: Request, error: Exception) -> Response:
    """Answer an unexpected error; its details go to the log only."""
    _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    # Starlette sends this response outside of all middleware, so it needs the headers here.
    return error_envelope(500, "internal", "internal error; see the server's log", None, **SECURITY_HEADERS)
