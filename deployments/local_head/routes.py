"""What only the user may ask of the head, and only over its socket: leave, stay, prune, serve on TCP."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import to_json
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from ai3ray.domain.serving import ServeRequest, ServeState
from ai3ray.errors import RequestError, first_problem
from ai3ray.server.body import query_flag, read_json
from ai3ray.server.endpoints import Door, Doorkeeper
from ai3ray.server.engine_gate import EngineGate
from ai3ray.server.error_replies import json_response
from deployments.local_head.tcp_listener import TcpListener

PING_S = 1.0
"""Seconds between signs of life to whoever has the head serve; without one its leaving would go unnoticed."""


class HeadEndpoints:
    """The head's own controls.

    Args:
        gate: the engine.
        on_stop: ends the head.
        on_keep: switches its idle clock off.
        front: serves on TCP; None where there is no Ray to do that.
    """

    def __init__(
        self,
        gate: EngineGate,
        on_stop: Callable[[], None],
        on_keep: Callable[[], None] | None = None,
        tcp_listener: TcpListener | None = None,
    ) -> None:
        self._gate = gate
        self._on_stop = on_stop
        self._on_keep = on_keep
        self._tcp_listener = tcp_listener

    def routes(self, doors: Doorkeeper) -> list[Route]:
        """The routes under `/head`."""
        made = [
            doors.route("/head/stop", POST=Door("admin", self.stop)),
            doors.route("/head/prune", POST=Door("admin", self.prune)),
        ]
        if self._on_keep is not None:
            made.append(doors.route("/head/keep", POST=Door("admin", self.keep)))
        if self._tcp_listener is not None:
            made.append(doors.route("/head/serve", POST=Door("admin", self.serve)))
            made.append(doors.route("/head/unserve", POST=Door("admin", self.unserve)))
        return made

    async def stop(self, request: Request) -> Response:
        """`POST /head/stop`: end the head; with `?idle=true` only when no run is going and nobody is served."""
        engine = self._gate.ready
        serving = self._tcp_listener is not None and self._tcp_listener.busy
        if query_flag(request, "idle") and (engine is None or serving or await engine.active()):
            raise HTTPException(409, "the head is busy")
        return _then(self._on_stop, {"status": "stopping", "pid": os.getpid()})

    async def keep(self, _request: Request) -> Response:
        """`POST /head/keep`: the head does not leave for want of runs."""
        assert self._on_keep is not None
        return _then(self._on_keep, {"status": "kept", "pid": os.getpid()})

    async def prune(self, request: Request) -> Response:
        """`POST /head/prune`: delete runs that ended long ago, or only count them."""
        older_than_s, dry_run = _prune_request(await read_json(request))
        return json_response(await (await self._gate.engine()).prune(older_than_s, dry_run=dry_run))

    async def serve(self, request: Request) -> Response:
        """`POST /head/serve`: serve on TCP for as long as the caller reads this; a line of JSON when that changes."""
        assert self._tcp_listener is not None
        try:
            serve_request = ServeRequest.model_validate(await read_json(request))
        except ValidationError as error:
            raise RequestError(f"serve: {first_problem(error).message}") from error
        await self._gate.engine()
        await self._tcp_listener.open(serve_request)
        return StreamingResponse(self._lines(self._tcp_listener), media_type="application/x-ndjson")

    async def unserve(self, _request: Request) -> Response:
        """`POST /head/unserve`: serve on TCP no more; answered when the port is free."""
        assert self._tcp_listener is not None
        await self._tcp_listener.close()
        return json_response(self._tcp_listener.serving)

    async def _lines(self, tcp_listener: TcpListener) -> AsyncGenerator[bytes, None]:
        """Every change, and in between an empty line, so that a caller who has gone is missed."""
        reported: ServeState | None = None
        try:
            while reported is None or not reported.over:
                if tcp_listener.serving != reported:
                    reported = tcp_listener.serving
                    yield to_json(reported) + b"\n"
                    continue
                yield b"\n"
                try:
                    async with asyncio.timeout(PING_S):
                        await tcp_listener.changed.wait()
                except TimeoutError:
                    pass
                if self._gate.closing.is_set():
                    return
        finally:
            tcp_listener.request_close()


def _then(act: Callable[[], None], reply: dict[str, Any]) -> Response:
    """Answer first, then act: the act may end the process."""

    async def later() -> None:
        act()

    response = json_response(reply, 202)
    response.background = BackgroundTask(later)
    return response


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
