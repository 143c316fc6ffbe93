"""The HTTP API of ai3ray: one Starlette app, hosted by the local head, by Ray Serve, or in-process."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from ai3ray.domain.listings import Accepted, Table
from ai3ray.domain.request import RunRequest, parse_request
from ai3ray.errors import Ai3Error, HeadUnavailable, RequestError
from ai3ray.executor.port import Engine
from ai3ray.server.access.host_checks import HostChecks
from ai3ray.server.access.keys import Access
from ai3ray.server.body import idempotency_key, last_event_id, query_flag, query_int, read_json
from ai3ray.server.endpoints import Door, Doorkeeper
from ai3ray.server.engine_gate import EngineGate
from ai3ray.server.error_replies import json_response, on_ai3_error, on_crash, on_disconnect, on_http_error
from ai3ray.server.event_stream import event_stream, follow
from ai3ray.server.openai.chat import OpenAiEndpoints
from ai3ray.version import __version__

PING_S = 15.0
MAX_ROWS = 10_000
MAX_TASKS = 1000
"""The most tasks that a plan may have which comes over the network."""


def build_app(
    gate: EngineGate,
    *,
    access: Access | None = None,
    controls: Callable[[Doorkeeper], list[Route]] | None = None,
    ping_s: float = PING_S,
) -> Starlette:
    """The app over one engine.

    Args:
        gate: the engine, booted or booting; requests wait for it.
        access: who may ask, for hosts that listen on TCP; None where nobody but the user gets in.
        controls: makes the routes under `/head`; only hosts whose callers are the user alone pass it.
        ping_s: seconds of silence after which a stream carries a comment.
    """
    doors = Doorkeeper(gate, access)
    routes = _routes(doors, gate, access, ping_s)
    if controls is not None:
        routes += controls(doors)
    app = Starlette(
        routes=routes,
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


def _routes(doors: Doorkeeper, gate: EngineGate, access: Access | None, ping_s: float) -> list[Route]:
    """The route table: path, method, the scope that opens it, who answers."""
    at, runs = doors.route, RunEndpoints(gate, ping_s)
    host, openai = HostEndpoints(gate, access), OpenAiEndpoints(gate, ping_s)
    return [
        at("/run", POST=Door("run", runs.run, spends=True, long_lived=True)),
        at("/stream/run", POST=Door("run", runs.stream, spends=True, long_lived=True)),
        at("/runs", GET=Door("read", runs.list), POST=Door("run", runs.submit, spends=True)),
        at("/runs/{run_id}", GET=Door("read", runs.show)),
        at("/runs/{run_id}/events", GET=Door("read", runs.events, long_lived=True)),
        at("/runs/{run_id}/cancel", POST=Door("run", runs.cancel)),
        at("/runs/{run_id}/resume", POST=Door("run", runs.resume, spends=True)),
        at("/plan", POST=Door("run", runs.plan, spends=True, long_lived=True)),
        at("/models", GET=Door("read", host.models)),
        at("/stats", GET=Door("read", host.stats)),
        at("/sql", POST=Door("sql", host.sql)),
        at("/healthz", GET=Door(None, host.healthz)),
        at("/openapi.json", GET=Door(None, host.openapi)),
        at("/v1/chat/completions", POST=Door("run", openai.chat, spends=True, long_lived=True)),
        at("/v1/models", GET=Door("read", openai.models)),
        at("/v1/models/{model:path}", GET=Door("read", openai.model)),
    ]


class RunEndpoints:
    """Everything about runs."""

    def __init__(self, gate: EngineGate, ping_s: float) -> None:
        self._gate = gate
        self._ping_s = ping_s

    async def run(self, request: Request) -> Response:
        """`POST /run`: the finished run. The run goes on when the client leaves."""
        engine, accepted = await self._submit(request)
        async with aclosing(follow(engine, accepted.run_id, closing=self._gate.closing)) as feeds:
            async for feed in feeds:
                if feed is not None and feed.done:
                    return json_response(await engine.result(accepted.run_id), headers=_run_header(accepted))
        raise HeadUnavailable(f"the head is stopping; run {accepted.run_id} is kept and can be resumed")

    async def submit(self, request: Request) -> Response:
        """`POST /runs`: the run is durable and goes on by itself.

        `deltas`: its caller is about to follow it and wants the first pieces of answers, too.
        """
        _, accepted = await self._submit(request, watch=query_flag(request, "deltas"))
        where = f"{request.scope.get('root_path', '')}/runs/{accepted.run_id}"
        return json_response(accepted, 202, _run_header(accepted) | {"location": where})

    async def stream(self, request: Request) -> Response:
        """`POST /stream/run`: the run's events, deltas among them."""
        engine, accepted = await self._submit(request, watch=True)
        return self._events(engine, accepted.run_id, 0, deltas=True, headers=_run_header(accepted))

    async def events(self, request: Request) -> Response:
        """`GET /runs/{run_id}/events`: the journaled events from any id on."""
        after, deltas = last_event_id(request), query_flag(request, "deltas")
        engine = await self._gate.engine()
        run_id = request.path_params["run_id"]
        await engine.result(run_id)  # a 404 has to be said before the stream begins
        return self._events(engine, run_id, after, deltas=deltas)

    async def list(self, request: Request) -> Response:
        """`GET /runs`: newest first; `next` is what `before` takes for the following page."""
        limit = query_int(request, "limit", 50, 1, 1000)
        engine = await self._gate.engine()
        rows = list(await engine.runs(limit + 1, request.query_params.get("before"), owner=request.state.owner))
        page = rows[:limit]
        return json_response({"runs": page, "next": page[-1].run_id if len(rows) > limit else None})

    async def show(self, request: Request) -> Response:
        """`GET /runs/{run_id}`: the run as it stands."""
        engine = await self._gate.engine()
        return json_response(await engine.result(request.path_params["run_id"]))

    async def cancel(self, request: Request) -> Response:
        """`POST /runs/{run_id}/cancel`: the run once it has ended."""
        engine = await self._gate.engine()
        return json_response(await engine.cancel(request.path_params["run_id"], request.state.caller or "user"))

    async def resume(self, request: Request) -> Response:
        """`POST /runs/{run_id}/resume`: the run as it stands, going on if it has not ended."""
        engine = await self._gate.engine()
        self._gate.touch()
        return json_response(await engine.resume(request.path_params["run_id"]))

    async def plan(self, request: Request) -> Response:
        """`POST /plan`: the graph and an estimate; no task runs."""
        wanted = await _wanted(request)
        preview = await (await self._gate.engine()).plan(wanted, owner=request.state.caller)
        graph = preview.plan.model_dump(mode="json", exclude_none=True)
        return json_response({"plan": graph, "estimate": preview.estimate, "warnings": preview.warnings})

    async def _submit(self, request: Request, *, watch: bool = False) -> tuple[Engine, Accepted]:
        key = idempotency_key(request)
        wanted = await _wanted(request)
        engine = await self._gate.engine()
        self._gate.touch()
        return engine, await engine.submit(wanted, owner=request.state.caller, key=key, watch=watch)

    def _events(
        self, engine: Engine, run_id: str, after: int, *, deltas: bool, headers: dict[str, str] | None = None
    ) -> Response:
        closing = self._gate.closing
        feeds = follow(engine, run_id, after, deltas=deltas, silence_s=self._ping_s, closing=closing)
        return event_stream(feeds, headers)


class HostEndpoints:
    """Everything about the host and what it knows."""

    def __init__(self, gate: EngineGate, access: Access | None) -> None:
        self._gate = gate
        self._on_network = access is not None
        self._keyed = access is not None and bool(access.rules.keys)

    async def models(self, _request: Request) -> Response:
        """`GET /models`: the registry with live telemetry."""
        return json_response({"models": await (await self._gate.engine()).models()})

    async def stats(self, request: Request) -> Response:
        """`GET /stats`: all runs in figures, or all of the caller's."""
        return json_response(await (await self._gate.engine()).stats(owner=request.state.owner))

    async def sql(self, request: Request) -> Response:
        """`POST /sql`: one read-only SELECT over what the caller may see; rows are objects.

        What comes over the network runs in a process of its own, on a copy as it was at `as_of`.
        """
        sql, limit = _sql_request(await read_json(request))
        engine, owner = await self._gate.engine(), request.state.owner
        return json_response(
            _row_objects(await engine.query(sql, max_rows=limit, isolated=self._on_network, owner=owner))
        )

    async def openapi(self, _request: Request) -> Response:
        """`GET /openapi.json`: what this API takes and answers."""
        from ai3ray.server.openapi import openapi  # it is built from every model: not before somebody asks

        return json_response(openapi())

    async def healthz(self, _request: Request) -> Response:
        """`GET /healthz`: answered at once, also while the engine boots. Strangers learn no more than that it is up."""
        engine, status = self._gate.ready, self._gate.status
        health: dict[str, Any] = {"status": status, "version": __version__}
        if not self._keyed:
            active = await engine.active() if engine else 0
            health |= {"pid": os.getpid(), "runs_active": active}
        return json_response(health, 503 if status == "failed" else 200)


async def _wanted(request: Request) -> RunRequest:
    """The run that is asked for, no larger than a caller over the network may ask."""
    wanted = parse_request(await read_json(request))
    if request.state.network and (wanted.max_tasks or 0) > MAX_TASKS:
        raise RequestError(f"max_tasks: at most {MAX_TASKS} over the network", "max_tasks")
    return wanted


def _run_header(accepted: Accepted) -> dict[str, str]:
    return {"x-ai3-run-id": accepted.run_id}


def _sql_request(data: Any) -> tuple[str, int]:
    """SQL text and the most rows wanted, from `{query | sql, limit?}`."""
    if not isinstance(data, Mapping):
        raise RequestError("the request is not a JSON object")
    for name in data:
        if name not in ("query", "sql", "limit"):
            raise RequestError(f"{name}: there is no such field", name)
    texts = [data[name] for name in ("query", "sql") if name in data]
    if len(texts) != 1 or not isinstance(texts[0], str) or not texts[0].strip():
        raise RequestError("query: one SELECT statement is wanted", "query")
    limit = data.get("limit", MAX_ROWS)
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= 10 * MAX_ROWS:
        raise RequestError(f"limit: a whole number from 1 to {10 * MAX_ROWS} is wanted", "limit")
    return texts[0], limit


def _row_objects(table: Table) -> dict[str, Any]:
    """The table with rows as objects; a column name that comes twice gets a number."""
    columns: dict[str, None] = {}
    numbers: Counter[str] = Counter()
    for name in table.columns:
        unique = name
        while unique in columns:
            numbers[name] += 1
            unique = f"{name}_{numbers[name]}"
        columns[unique] = None
    rows = [dict(zip(columns, row, strict=True)) for row in table.rows]
    told = {"columns": list(columns), "rows": rows, "truncated": table.truncated}
    return told | ({"as_of": table.as_of} if table.as_of else {})
