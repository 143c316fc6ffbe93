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
"""Seconds for a body to arrive."""
_MAX_DISCARDED = 4 * MAX_BODY


async def read_json(request: Request) -> Any:
    """Return the decoded body.

    Raises:
        RequestError: the body is not strict JSON (UTF-8, no NaN, no unpaired surrogates).
        HTTPException: 413, the body is larger than 8 MB; 408, it did not arrive in time.
    """
    # The rest of a body that is too large is read and discarded, up to a limit: a client that is cut off while
    # it writes sees a broken pipe instead of the answer.
    body, size = bytearray(), 0
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.stream():
                size += len(chunk)
                if size <= MAX_BODY:
                    body += chunk
                elif size > _MAX_DISCARDED:
                    break
    except TimeoutError as error:
        raise HTTPException(408, f"the body did not arrive within {BODY_S:g} s") from error
    if size > MAX_BODY:
        raise HTTPException(413, f"the body is larger than {MAX_BODY // 1024 // 1024} MB")
    return decode_json(bytes(body))


def decode_json(raw: bytes) -> Any:
    """Decode strict JSON. Raises RequestError naming the position."""
    try:
        value = json.loads(raw.decode("utf-8"), parse_constant=_refuse_constant)
        if b"\\ud" in raw.lower():
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise RequestError("the body has an unpaired surrogate escape (\\ud…)") from error
    except UnicodeDecodeError as error:
        raise RequestError(f"the body is not UTF-8 at byte {error.start + 1}") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise RequestError(f"the body is not JSON: {error.msg} at {where}") from error
    except RecursionError as error:
        raise RequestError("the body is nested too deeply") from error
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise RequestError(f"the body is not JSON: {name} is not a JSON value")
