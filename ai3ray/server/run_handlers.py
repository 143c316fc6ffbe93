"""Handlers of the endpoints about runs."""

from __future__ import annotations

from contextlib import aclosing

from starlette.responses import Response

from ai3ray.domain.listings import Accepted
from ai3ray.domain.request import RunRequest
from ai3ray.errors import HeadUnavailable, RequestError
from ai3ray.executor.port import Engine
from ai3ray.server.error_replies import json_response
from ai3ray.server.event_stream import event_stream, follow
from ai3ray.server.parameters import BEFORE, DELTAS, IDEMPOTENCY_KEY, LIMIT, start_of_stream
from ai3ray.server.routing import ApiCall

MAX_TASKS = 1000
"""The most tasks of a plan that is requested over TCP."""


async def run(call: ApiCall[RunRequest]) -> Response:
    """Answer with the finished run. The run goes on when the client disconnects."""
    engine, accepted = await _submit(call)
    async with aclosing(follow(engine, accepted.run_id, closing=call.host.gate.closing)) as feeds:
        async for feed in feeds:
            if feed is not None and feed.done:
                return json_response(await engine.result(accepted.run_id), headers=run_header(accepted))
    raise HeadUnavailable(f"the head is stopping; run {accepted.run_id} is kept and can be resumed")


async def submit(call: ApiCall[RunRequest]) -> Response:
    """Accept a run that goes on by itself."""
    _, accepted = await _submit(call, watch=DELTAS.read(call.request))
    location = f"{call.request.scope.get('root_path', '')}/runs/{accepted.run_id}"
    return json_response(accepted, 202, run_header(accepted) | {"location": location})


async def stream(call: ApiCall[RunRequest]) -> Response:
    """Stream a new run's events, deltas among them."""
    engine, accepted = await _submit(call, watch=True)
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
    """Answer with the run in its present state."""
    return json_response(await (await call.engine()).result(call.request.path_params["run_id"]))


async def cancel(call: ApiCall[None]) -> Response:
    """Cancel the run and answer when it has ended."""
    engine = await call.engine()
    return json_response(await engine.cancel(call.request.path_params["run_id"], call.caller.name or "user"))


async def resume(call: ApiCall[None]) -> Response:
    """Make the run go on if it has not ended."""
    engine = await call.engine()
    call.host.gate.touch()
    return json_response(await engine.resume(call.request.path_params["run_id"]))


async def plan(call: ApiCall[RunRequest]) -> Response:
    """Answer with the graph and an estimate; no task runs."""
    request = _checked(call)
    preview = await (await call.engine()).plan(request, owner=call.caller.name)
    graph = preview.plan.model_dump(mode="json", exclude_none=True)
    return json_response({"plan": graph, "estimate": preview.estimate, "warnings": preview.warnings})


def run_header(accepted: Accepted) -> dict[str, str]:
    """Return the header that names the run."""
    return {"x-ai3-run-id": accepted.run_id}


async def _submit(call: ApiCall[RunRequest], *, watch: bool = False) -> tuple[Engine, Accepted]:
    key = IDEMPOTENCY_KEY.read(call.request)
    request = _checked(call)
    engine = await call.engine()
    call.host.gate.touch()
    return engine, await engine.submit(request, owner=call.caller.name, key=key, watch=watch)


def _checked(call: ApiCall[RunRequest]) -> RunRequest:
    """Return the request unless it is too large for a caller over TCP."""
    if call.host.access is not None and (call.body.max_tasks or 0) > MAX_TASKS:
        raise RequestError(f"max_tasks: at most {MAX_TASKS} over the network", "max_tasks")
    return call.body


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
