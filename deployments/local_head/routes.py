"""The head's control endpoints, on its socket only."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

from pydantic import Field
from pydantic_core import to_json
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from ai3ray.domain.frozen import Frozen
from ai3ray.domain.serving import ServeRequest, ServeState
from ai3ray.server.engine_gate import EngineGate
from ai3ray.server.error_replies import json_response
from ai3ray.server.parameters import flag
from ai3ray.server.routing import ApiCall, Endpoint

from .tcp_listener import TcpListener

PING_S = 1.0
"""Seconds between empty lines; only a failed write shows that the caller has left."""


IDLE = flag("idle", "Only when no run is active and nothing is served.")


class PruneRequest(Frozen):
    """The body of `POST /head/prune`."""

    older_than_s: float = Field(ge=0, strict=True)
    """Seconds since a run's end."""
    dry_run: bool = Field(default=False, strict=True)
    """Only count the runs."""


class HeadControls:
    """The head's control endpoints.

    Args:
        gate: the engine.
        on_stop: stops the head.
        on_keep: disables its stop when idle; without it there is no `/head/keep`.
        tcp_listener: serves on TCP; without it there is no `/head/serve`.
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

    def endpoints(self) -> Sequence[Endpoint]:
        """Return the endpoints under `/head`."""
        offered = [
            Endpoint("POST", "/head/stop", "admin", self.stop, "End the head.", parameters=(IDLE,)),
            Endpoint("POST", "/head/prune", "admin", self.prune, "Delete old runs.", body=PruneRequest),
        ]
        if self._on_keep is not None:
            offered.append(Endpoint("POST", "/head/keep", "admin", self.keep, "Keep the head up."))
        if self._tcp_listener is not None:
            offered.append(Endpoint("POST", "/head/serve", "admin", self.serve, "Serve on TCP.", body=ServeRequest))
            offered.append(Endpoint("POST", "/head/unserve", "admin", self.unserve, "Stop serving on TCP."))
        return offered

    async def stop(self, call: ApiCall[None]) -> Response:
        """Stop the head; with `?idle=true`, only without active runs and TCP server."""
        engine = self._gate.ready
        serving = self._tcp_listener is not None and self._tcp_listener.busy
        if IDLE.read(call.request) and (engine is None or serving or await engine.active()):
            raise HTTPException(409, "the head is busy: it has active runs or serves on TCP")
        return _then(self._on_stop, {"status": "stopping", "pid": os.getpid()})

    async def keep(self, _call: ApiCall[None]) -> Response:
        """Do not stop when idle."""
        assert self._on_keep is not None
        return _then(self._on_keep, {"status": "kept", "pid": os.getpid()})

    async def prune(self, call: ApiCall[PruneRequest]) -> Response:
        """Delete runs that ended long ago, or only count them."""
        engine, request = await self._gate.engine(), call.body
        return json_response(await engine.prune(request.older_than_s, dry_run=request.dry_run))

    async def serve(self, call: ApiCall[ServeRequest]) -> Response:
        """Serve on TCP while the caller reads; send a line of JSON at each change of state."""
        assert self._tcp_listener is not None
        await self._gate.engine()
        await self._tcp_listener.open(call.body)
        return StreamingResponse(self._lines(self._tcp_listener), media_type="application/x-ndjson")

    async def unserve(self, _call: ApiCall[None]) -> Response:
        """Stop serving on TCP; reply once the port is free."""
        assert self._tcp_listener is not None
        await self._tcp_listener.close()
        return json_response(self._tcp_listener.serving)

    async def _lines(self, tcp_listener: TcpListener) -> AsyncGenerator[bytes, None]:
        """Yield each state, with empty lines in between that fail once the caller has left."""
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
    """Reply first, because the act may end the process."""

    async def later() -> None:
        act()

    response = json_response(reply, 202)
    response.background = BackgroundTask(later)
    return response
