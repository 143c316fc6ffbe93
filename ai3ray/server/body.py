"""Reading what a request brings: its JSON body, its headers, its query; each refused in one line."""

from __future__ import annotations

import asyncio
import json
from typing import Any, NoReturn

from starlette.exceptions import HTTPException
from starlette.requests import Request

from ai3ray.errors import RequestError

MAX_BODY = 8 * 1024 * 1024
BODY_S = 30.0
"""Seconds that a body may take to arrive."""
_DRAINED = 4 * MAX_BODY
_TRUE, _FALSE = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off", ""})


async def read_json(request: Request) -> Any:
    """The decoded body.

    Raises:
        RequestError: it is not JSON; the message gives line and column.
        HTTPException: 413, it is larger than 8 MB; 408, it did not arrive in time.
    """
    return decode_json(await _read(request))


async def _read(request: Request) -> bytes:
    # A body that is too large is read on for a while: a client that is cut off while it writes
    # would see a broken pipe, not the reason.
    body, size = bytearray(), 0
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.stream():
                size += len(chunk)
                if size <= MAX_BODY:
                    body += chunk
                elif size > _DRAINED:
                    break
    except TimeoutError as error:
        raise HTTPException(408, f"the body did not come within {BODY_S:g} s") from error
    if size > MAX_BODY:
        raise HTTPException(413, f"the body is larger than {MAX_BODY // 1024 // 1024} MB")
    return bytes(body)


def decode_json(raw: bytes) -> Any:
    """Strict JSON: UTF-8, no NaN, no halves of surrogate pairs. Raises RequestError."""
    try:
        value = json.loads(raw.decode("utf-8"), parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise RequestError(f"the body is not UTF-8 at byte {error.start + 1}") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise RequestError(f"the body is not JSON: {error.msg} at {where}") from error
    except RecursionError as error:
        raise RequestError("the body is nested too deeply") from error
    if b"\\ud" in raw.lower():
        _refuse_surrogates(value)
    return value


def _no_constant(name: str) -> NoReturn:
    raise RequestError(f"the body is not JSON: {name} is not a JSON value")


def _refuse_surrogates(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise RequestError("the body has a \\ud… escape without its other half") from error


def idempotency_key(request: Request) -> str | None:
    """The `Idempotency-Key` header. Raises RequestError when it is empty or too long."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not key.strip() or len(key) > 255:
        raise RequestError("Idempotency-Key has 1 to 255 characters", "Idempotency-Key")
    return key.strip()


def last_event_id(request: Request) -> int:
    """The event to go on after: the `Last-Event-ID` header, else `?after=`, else 0."""
    header = request.headers.get("last-event-id")
    if header is not None:
        return _whole(header, "Last-Event-ID", 0, 2**53)
    return query_int(request, "after", 0, 0, 2**53)


def query_int(request: Request, name: str, default: int, least: int, most: int) -> int:
    """A whole number of the query string. Raises RequestError naming it."""
    value = request.query_params.get(name)
    return default if value is None else _whole(value, name, least, most)


def query_flag(request: Request, name: str) -> bool:
    """A yes or no of the query string. Raises RequestError naming it."""
    value = request.query_params.get(name, "").lower()
    if value not in _TRUE | _FALSE:
        raise RequestError(f"{name} is true or false, not {value!r}", name)
    return value in _TRUE


def _whole(text: str, name: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdigit()) or not least <= int(text[:20]) <= most:
        raise RequestError(f"{name} is a whole number from {least} to {most}, not {text[:40]!r}", name)
    return int(text)
