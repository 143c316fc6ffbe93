"""The HTTP API of ai3ray: one Starlette app, hosted by the local head, by Ray Serve, or in-process."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from ai3ray import __version__
from ai3ray.domain.request import RunRequest, parse_request
from ai3ray.domain.views import Accepted, Table
from ai3ray.errors import Ai3Error, HeadUnavailable, RequestError
from ai3ray.executor.port import Engine

from .body import idempotency_key, last_event_id, query_flag, query_int, read_json
from .errors import answer, on_ai3_error, on_crash, on_disconnect, on_http_error
from .gate import EngineGate
from .sse import event_stream, follow

PING_S = 15.0
MAX_ROWS = 10_000

Endpoint = Callable[[Request], Awaitable[Response]]


def build_app(
    gate: EngineGate,
    *,
    on_stop: Callable[[], None] | None = None,
    on_keep: Callable[[], None] | None = None,
    ping_s: float = PING_S,
) -> Starlette:
    """The app over one engine.

    Args:
        gate: the engine, booted or booting; requests wait for it.
        on_stop: ends the host. Only hosts whose callers are the user alone pass it: it makes
            `POST /head/stop` and `POST /head/prune` exist.
        on_keep: switches the host's idle clock off, likewise as `POST /head/keep`.
        ping_s: seconds of silence after which a stream carries a comment.
    """
    runs, control = RunEndpoints(gate, ping_s), HostEndpoints(gate, on_stop, on_keep)
    routes = [
        _route("/run", POST=runs.run),
        _route("/stream/run", POST=runs.stream),
        _route("/runs", GET=runs.list, POST=runs.submit),
        _route("/runs/{run_id}", GET=runs.show),
        _route("/runs/{run_id}/events", GET=runs.events),
        _route("/runs/{run_id}/cancel", POST=runs.cancel),
        _route("/runs/{run_id}/resume", POST=runs.resume),
        _route("/plan", POST=runs.plan),
        _route("/models", GET=control.models),
        _route("/stats", GET=control.stats),
        _route("/sql", POST=control.sql),
        _route("/healthz", GET=control.healthz),
    ]
    routes += [_route("/head/stop", POST=control.stop), _route("/head/prune", POST=control.prune)] if on_stop else []
    routes += [_route("/head/keep", POST=control.keep)] if on_keep else []
    app = Starlette(
        routes=routes,
        exception_handlers={
            Ai3Error: on_ai3_error,
            HTTPException: on_http_error,
            ClientDisconnect: on_disconnect,
            Exception: on_crash,
        },
    )
    app.router.redirect_slashes = False
    return app


def _route(path: str, **by_method: Endpoint) -> Route:
    """One route per path, so that a wrong method is answered with all that the path takes."""

    async def endpoint(request: Request) -> Response:
        return await by_method["GET" if request.method == "HEAD" else request.method](request)

    return Route(path, endpoint, methods=list(by_method))


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
                    return answer(await engine.result(accepted.run_id), headers=_run_header(accepted))
        raise HeadUnavailable(f"the head is stopping; run {accepted.run_id} is kept and can be resumed")

    async def submit(self, request: Request) -> Response:
        """`POST /runs`: the run is durable and goes on by itself."""
        _, accepted = await self._submit(request)
        return answer(accepted, 202, _run_header(accepted) | {"location": f"/runs/{accepted.run_id}"})

    async def stream(self, request: Request) -> Response:
        """`POST /stream/run`: the run's events, deltas among them."""
        engine, accepted = await self._submit(request)
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
        rows = list(await engine.runs(limit + 1, request.query_params.get("before")))
        page = rows[:limit]
        return answer({"runs": page, "next": page[-1].run_id if len(rows) > limit else None})

    async def show(self, request: Request) -> Response:
        """`GET /runs/{run_id}`: the run as it stands."""
        engine = await self._gate.engine()
        return answer(await engine.result(request.path_params["run_id"]))

    async def cancel(self, request: Request) -> Response:
        """`POST /runs/{run_id}/cancel`: the run once it has ended."""
        engine = await self._gate.engine()
        return answer(await engine.cancel(request.path_params["run_id"]))

    async def resume(self, request: Request) -> Response:
        """`POST /runs/{run_id}/resume`: the run as it stands, going on if it has not ended."""
        engine = await self._gate.engine()
        self._gate.touch()
        return answer(await engine.resume(request.path_params["run_id"]))

    async def plan(self, request: Request) -> Response:
        """`POST /plan`: the graph and an estimate; no task runs."""
        wanted = parse_request(await read_json(request))
        preview = await (await self._gate.engine()).plan(wanted)
        graph = preview.plan.model_dump(mode="json", exclude_none=True)
        return answer({"plan": graph, "estimate": preview.estimate, "warnings": preview.warnings})

    async def _submit(self, request: Request) -> tuple[Engine, Accepted]:
        key = idempotency_key(request)
        wanted: RunRequest = parse_request(await read_json(request))
        engine = await self._gate.engine()
        self._gate.touch()
        return engine, await engine.submit(wanted, key=key)

    def _events(
        self, engine: Engine, run_id: str, after: int, *, deltas: bool, headers: dict[str, str] | None = None
    ) -> Response:
        closing = self._gate.closing
        feeds = follow(engine, run_id, after, deltas=deltas, silence_s=self._ping_s, closing=closing)
        return event_stream(feeds, headers)


class HostEndpoints:
    """Everything about the host and what it knows."""

    def __init__(
        self, gate: EngineGate, on_stop: Callable[[], None] | None, on_keep: Callable[[], None] | None
    ) -> None:
        self._gate = gate
        self._on_stop = on_stop
        self._on_keep = on_keep

    async def models(self, _request: Request) -> Response:
        """`GET /models`: the registry with live telemetry."""
        return answer({"models": await (await self._gate.engine()).models()})

    async def stats(self, _request: Request) -> Response:
        """`GET /stats`: all runs in figures."""
        return answer(await (await self._gate.engine()).stats())

    async def sql(self, request: Request) -> Response:
        """`POST /sql`: one read-only SELECT; rows are objects."""
        sql, limit = _sql_request(await read_json(request))
        table = await (await self._gate.engine()).query(sql, max_rows=limit)
        return answer(_row_objects(table))

    async def prune(self, request: Request) -> Response:
        """`POST /head/prune`: delete runs that ended long ago, or only count them."""
        older_than_s, dry_run = _prune_request(await read_json(request))
        return answer(await (await self._gate.engine()).prune(older_than_s, dry_run=dry_run))

    async def healthz(self, _request: Request) -> Response:
        """`GET /healthz`: answered at once, also while the engine boots."""
        engine, status = self._gate.ready, self._gate.status
        active = await engine.active() if engine else 0
        health = {"status": status, "version": __version__, "pid": os.getpid(), "runs_active": active}
        return answer(health, 503 if status == "failed" else 200)

    async def stop(self, request: Request) -> Response:
        """`POST /head/stop`: end the host; with `?idle=true` only when no run is going."""
        assert self._on_stop is not None
        engine = self._gate.ready
        if query_flag(request, "idle") and (engine is None or await engine.active()):
            raise HTTPException(409, "the head is busy")
        return _then(self._on_stop, {"status": "stopping", "pid": os.getpid()})

    async def keep(self, _request: Request) -> Response:
        """`POST /head/keep`: the host does not leave for want of runs."""
        assert self._on_keep is not None
        return _then(self._on_keep, {"status": "kept", "pid": os.getpid()})


def _run_header(accepted: Accepted) -> dict[str, str]:
    return {"x-ai3-run-id": accepted.run_id}


def _then(act: Callable[[], None], reply: dict[str, Any]) -> Response:
    """Answer first, then act: the act may end the process."""

    async def later() -> None:
        act()

    response = answer(reply, 202)
    response.background = BackgroundTask(later)
    return response


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


def _prune_request(data: Any) -> tuple[float, bool]:
    """Age in seconds and whether to count only, from `{older_than_s, dry_run?}`."""
    if not isinstance(data, Mapping):
        raise RequestError("the request is not a JSON object")
    for name in data:
        if name not in ("older_than_s", "dry_run"):
            raise RequestError(f"{name}: there is no such field", name)
    age, dry_run = data.get("older_than_s"), data.get("dry_run", False)
    if isinstance(age, bool) or not isinstance(age, int | float) or age < 0:
        raise RequestError("older_than_s: a number of seconds is wanted", "older_than_s")
    if not isinstance(dry_run, bool):
        raise RequestError("dry_run: true or false is wanted", "dry_run")
    return age, dry_run


def _row_objects(table: Table) -> dict[str, Any]:
    """The table with rows as objects; a column name that comes twice gets a number."""
    columns: list[str] = []
    for name in table.columns:
        unique, n = name, 1
        while unique in columns:
            unique, n = f"{name}_{n}", n + 1
        columns.append(unique)
    rows = [dict(zip(columns, row, strict=True)) for row in table.rows]
    return {"columns": columns, "rows": rows, "truncated": table.truncated}
