"""Read the JSON body of a request."""

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
