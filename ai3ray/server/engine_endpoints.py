"""Functions of the endpoints about the engine: models, statistics, SQL, health."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

from starlette.responses import Response

from ai3ray.domain.listings import Table
from ai3ray.errors import RequestError
from ai3ray.server.bodies import SqlQuery
from ai3ray.server.error_replies import json_response
from ai3ray.server.openapi import openapi
from ai3ray.server.routing import ApiCall
from ai3ray.version import __version__


async def models(call: ApiCall[None]) -> Response:
    """List all models with live telemetry."""
    return json_response({"models": await (await call.engine()).models()})


async def stats(call: ApiCall[None]) -> Response:
    """Return statistics over the runs that the caller may see."""
    return json_response(await (await call.engine()).stats(owner=call.caller.owner))


async def sql(call: ApiCall[SqlQuery]) -> Response:
    """Run one read-only SELECT over the runs that the caller may see.

    A query that comes over TCP runs in a process of its own, on a copy of the journal as of `as_of`.
    """
    engine, query = await call.engine(), call.body
    isolated = call.host.access is not None
    try:
        table = await engine.query(query.text, max_rows=query.limit, isolated=isolated, owner=call.caller.owner)
    except RequestError as error:
        raise RequestError(error.message, query.text_field) from error  # the engine has one name for both fields
    return json_response(_row_objects(table))


async def healthz(call: ApiCall[None]) -> Response:
    """Answer at once, even while the engine boots; a server with keys shows status and version only."""
    engine, status = call.host.gate.ready, call.host.gate.status
    health: dict[str, Any] = {"status": status, "version": __version__}
    if call.host.access is None or not call.host.access.rules.keys:
        health |= {"pid": os.getpid(), "runs_active": await engine.active() if engine else 0}
    return json_response(health, 503 if status == "failed" else 200)


async def openapi_document(call: ApiCall[None]) -> Response:
    """Return the OpenAPI document of this API."""
    return json_response(openapi(call.host.endpoints))


def _row_objects(table: Table) -> dict[str, Any]:
    """Return the table with its rows as objects; number repeated column names."""
    columns: dict[str, None] = {}
    numbers: Counter[str] = Counter()
    for name in table.columns:
        unique = name
        while unique in columns:
            numbers[name] += 1
            unique = f"{name}_{numbers[name]}"
        columns[unique] = None
    rows = [dict(zip(columns, row, strict=True)) for row in table.rows]
    answer = {"columns": list(columns), "rows": rows, "truncated": table.truncated}
    return answer | ({"as_of": table.as_of} if table.as_of else {})
