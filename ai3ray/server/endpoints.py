"""The route table: no path without a door, no door without the scope that opens it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ai3ray.domain.access import Scope
from ai3ray.errors import UnknownRun
from ai3ray.server.access.keys import UNLIMITED, Access, ApiCaller
from ai3ray.server.access.open_streams import CountedResponse
from ai3ray.server.engine_gate import EngineGate

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Door:
    """One method of one path."""

    scope: Scope | None
    """What a key must be allowed; None lets everybody in."""
    endpoint: Endpoint
    """What answers."""
    spends: bool = False
    """Whether it may start calls of models: closed for a key whose day's money is spent."""
    long_lived: bool = False
    """Whether it is held open for long: as many at a time as `OpenStreams` lets in."""


class Doorkeeper:
    """Makes the routes, each behind its doors.

    After a door `request.state.caller` is the caller's name, which owns the runs that it starts, and
    `request.state.owner` whose runs it sees: None for everybody's; `request.state.network` tells whether
    it came over TCP. A path with a `{run_id}` of
    somebody else's is 404, as if there were no such run.

    Args:
        gate: the engine, asked whose a run is and what a caller may still ask.
        access: None where nobody but the user can get in: then every door is open.
    """

    def __init__(self, gate: EngineGate, access: Access | None) -> None:
        self._gate = gate
        self._access = access

    def route(self, path: str, **doors: Door) -> Route:
        """One route per path, so that a wrong method is answered with all that the path takes.

        Args:
            path: as Starlette has it.
            **doors: by method.
        """

        async def endpoint(request: Request) -> Response:
            door = doors["GET" if request.method == "HEAD" else request.method]
            caller = await self._let_in(request, door)
            request.state.caller, request.state.owner = caller.name, caller.owner
            request.state.network = self._access is not None
            if self._access is None or not door.long_lived:
                return await door.endpoint(request)
            return await _held(request, door, self._access.streams.take(caller.name))

        return Route(path, endpoint, methods=list(doors))

    async def _let_in(self, request: Request, door: Door) -> ApiCaller:
        if self._access is None or door.scope is None:
            return ApiCaller()
        caller = self._access.caller(request, door.scope)
        if caller.limits != UNLIMITED:
            engine = await self._gate.engine()
            await engine.admit_caller(caller.name, caller.limits, spends=door.spends)
        run_id = request.path_params.get("run_id")
        if caller.owner is not None and run_id is not None:
            await self._own(run_id, caller.owner)
        return caller

    async def _own(self, run_id: str, owner: str) -> None:
        if await (await self._gate.engine()).owner_of(run_id) != owner:
            raise UnknownRun(f"there is no run {run_id!r}")


async def _held(request: Request, door: Door, release: Callable[[], None]) -> Response:
    """The door's answer, which releases what it was counted by when it has been sent, or when there is none."""
    try:
        return CountedResponse(await door.endpoint(request), release)
    except BaseException:
        release()
        raise
