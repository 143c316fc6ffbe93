"""Functions of the endpoints about runs."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

from starlette.responses import Response

from ai3ray.domain.listings import Accepted
from ai3ray.domain.request import RunRequest
from ai3ray.domain.result import RunResult
from ai3ray.errors import HeadUnavailable, RequestError
from ai3ray.executor.port import Engine
from ai3ray.server.error_replies import json_response
from ai3ray.server.event_stream import event_stream, follow
from ai3ray.server.parameters import BEFORE, DELTAS, IDEMPOTENCY_KEY, LIMIT, start_of_stream
from ai3ray.server.routing import ApiCall, ApiHost

MAX_TASKS = 1000
"""The most tasks of a plan that is requested over TCP."""


async def run(call: ApiCall[RunRequest]) -> Response:
    """Run the request and answer with the finished run."""
    engine, accepted = await start_run(call, call.body)
    return json_response(await finished_run(call, engine, accepted.run_id), headers=run_header(accepted))


async def submit(call: ApiCall[RunRequest]) -> Response:
    """Start a run and answer at once with its id."""
    _, accepted = await start_run(call, call.body, watch=DELTAS.read(call.request))
    location = f"{call.request.scope.get('root_path', '')}/runs/{accepted.run_id}"
    return json_response(accepted, 202, run_header(accepted) | {"location": location})


async def stream(call: ApiCall[RunRequest]) -> Response:
    """Run the request and stream its events, deltas included."""
    engine, accepted = await start_run(call, call.body, watch=True)
    return _events(call, engine, accepted.run_id, 0, deltas=True, headers=run_header(accepted))


async def events(call: ApiCall[None]) -> Response:
    """Stream a run's journaled events from any id on."""
    after, deltas = start_of_stream(call.request), DELTAS.read(call.request)
    engine = await call.engine()
    run_id = call.request.path_params["run_id"]
    await engine.result(run_id)  # raises UnknownRun before the stream begins
    return _events(call, engine, run_id, after, deltas=deltas)


async def list_runs(call: ApiCall[None]) -> Response:
    """List runs, newest first; `next` is the value of `before` for the following page."""
    limit, before = LIMIT.read(call.request), BEFORE.read(call.request)
    rows = list(await (await call.engine()).runs(limit + 1, before, owner=call.caller.owner))
    page = rows[:limit]
    return json_response({"runs": page, "next": page[-1].run_id if len(rows) > limit else None})


async def show(call: ApiCall[None]) -> Response:
    """Show a run as it stands."""
    return json_response(await (await call.engine()).result(call.request.path_params["run_id"]))


async def cancel(call: ApiCall[None]) -> Response:
    """Cancel a run and answer when it has ended."""
    engine = await call.engine()
    return json_response(await engine.cancel(call.request.path_params["run_id"], call.caller.name or "user"))


async def resume(call: ApiCall[None]) -> Response:
    """Resume a run if it has not ended."""
    engine = await call.engine()
    call.host.gate.touch()
    return json_response(await engine.resume(call.request.path_params["run_id"]))


async def plan(call: ApiCall[RunRequest]) -> Response:
    """Answer with a plan and its estimate; no task runs."""
    check_size(call.host, call.body)
    preview = await (await call.engine()).plan(call.body, owner=call.caller.name)
    graph = preview.plan.model_dump(mode="json", exclude_none=True)
    return json_response({"plan": graph, "estimate": preview.estimate, "warnings": preview.warnings})


async def start_run(call: ApiCall[Any], request: RunRequest, *, watch: bool = False) -> tuple[Engine, Accepted]:
    """Start a run for the caller.

    Args:
        call: the call that asks for it, with its idempotency key.
        request: the request for the run.
        watch: keep the run's deltas from the first on.

    Raises:
        RequestError: the request is invalid, or too large for a caller over TCP.
    """
    key = IDEMPOTENCY_KEY.read(call.request)
    check_size(call.host, request)
    engine = await call.engine()
    call.host.gate.touch()
    return engine, await engine.submit(request, owner=call.caller.name, key=key, watch=watch)


async def finished_run(call: ApiCall[Any], engine: Engine, run_id: str) -> RunResult:
    """Wait for a run's end and return it. Raises HeadUnavailable when the server stops first."""
    async with aclosing(follow(engine, run_id, closing=call.host.gate.closing)) as feeds:
        async for feed in feeds:
            if feed is not None and feed.done:
                return await engine.result(run_id)
    raise HeadUnavailable(stopping_message(run_id))


def stopping_message(run_id: str) -> str:
    """Return the message for a client that waits for a run while the server stops."""
    return f"the head is stopping; run {run_id} is kept: resume it with POST /runs/{run_id}/resume"


def check_size(host: ApiHost, request: RunRequest) -> None:
    """Raise RequestError if a request over TCP allows too many tasks."""
    if host.access is not None and (request.max_tasks or 0) > MAX_TASKS:
        raise RequestError(f"max_tasks: it has to be at most {MAX_TASKS} over the network", "max_tasks")


def run_header(accepted: Accepted) -> dict[str, str]:
    """Return the header that names the run."""
    return {"x-ai3-run-id": accepted.run_id}


def _events(
    call: ApiCall[RunRequest] | ApiCall[None],
    engine: Engine,
    run_id: str,
    after: int,
    *,
    deltas: bool,
    headers: dict[str, str] | None = None,
) -> Response:
    host = call.host
    feeds = follow(engine, run_id, after, deltas=deltas, silence_s=host.ping_s, closing=host.gate.closing)
    return event_stream(feeds, headers)
