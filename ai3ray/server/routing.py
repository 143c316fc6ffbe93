"""Make routes from endpoints: access control, then parsing, then the handler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ai3ray.domain.access import Scope
from ai3ray.domain.request import parse_object
from ai3ray.errors import UnknownRun
from ai3ray.executor.port import Engine
from ai3ray.server.access.keys import UNLIMITED, Access, ApiCaller
from ai3ray.server.access.open_streams import CountedResponse
from ai3ray.server.body import read_json
from ai3ray.server.engine_gate import EngineGate
from ai3ray.server.parameters import Parameter

Body = TypeVar("Body")
Method = Literal["GET", "POST"]


@dataclass(frozen=True, slots=True)
class ApiHost:
    """The context of all endpoints of an app."""

    gate: EngineGate
    access: Access | None
    """None on a private socket, which only the user can reach."""
    ping_s: float
    """Seconds of silence after which a stream sends a comment."""
    endpoints: tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True)
class ApiCall(Generic[Body]):
    """One request to an endpoint, after access control and parsing."""

    request: Request
    host: ApiHost
    caller: ApiCaller
    body: Body
    """An instance of the endpoint's body model, or None."""

    async def engine(self) -> Engine:
        """Wait for the engine and return it. Raises HeadUnavailable or the error of its boot."""
        return await self.host.gate.engine()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method of one path, the source of its route, access control, parsing and OpenAPI."""

    method: Method
    path: str
    """A Starlette pattern; a `{run_id}` in it that belongs to another owner is answered with 404."""
    scope: Scope | None
    """The scope that a key needs; None for an endpoint without access control."""
    handler: Callable[[ApiCall[Any]], Awaitable[Response]]
    summary: str
    body: type[BaseModel] | None = None
    answer: type[BaseModel] | None = None
    """The model of a successful answer; None for any JSON object."""
    status: int = 200
    streams: bool = False
    """True when the answer is an event stream, or may be one if `answer` is given."""
    errors: tuple[int, ...] = ()
    """HTTP statuses in addition to those of every endpoint."""
    parameters: tuple[Parameter[Any], ...] = ()
    """Headers and query parameters that the handler reads."""
    spends: bool = False
    """True when it may call models; keys that have spent their daily budget are refused."""
    long_lived: bool = False
    """True when requests stay open and are counted by `OpenStreams`."""


def make_routes(endpoints: Iterable[Endpoint], host: ApiHost) -> list[Route]:
    """Return one route per path, so that a 405 lists all methods of the path."""
    methods: dict[str, dict[str, Endpoint]] = {}
    for endpoint in endpoints:
        methods.setdefault(endpoint.path, {})[endpoint.method] = endpoint
    return [_route(path, by_method, host) for path, by_method in methods.items()]


def _route(path: str, by_method: Mapping[str, Endpoint], host: ApiHost) -> Route:
    async def answer(request: Request) -> Response:
        endpoint = by_method["GET" if request.method == "HEAD" else request.method]
        caller = await _admit(request, endpoint, host)
        if host.access is None or not endpoint.long_lived:
            return await _handle(request, endpoint, host, caller)
        release = host.access.streams.take(caller.name)
        try:
            return CountedResponse(await _handle(request, endpoint, host, caller), release)
        except BaseException:
            release()
            raise

    return Route(path, answer, methods=list(by_method))


async def _admit(request: Request, endpoint: Endpoint, host: ApiHost) -> ApiCaller:
    """Check key, scope, limits and the run's owner. Raises AccessError or UnknownRun."""
    if host.access is None or endpoint.scope is None:
        return ApiCaller()
    caller = host.access.caller(request, endpoint.scope)
    if caller.limits != UNLIMITED:
        engine = await host.gate.engine()
        await engine.admit_caller(caller.name, caller.limits, spends=endpoint.spends)
    run_id = request.path_params.get("run_id")
    if caller.owner is not None and run_id is not None:
        engine = await host.gate.engine()
        if await engine.owner_of(run_id) != caller.owner:
            raise UnknownRun(f"there is no run {run_id!r}")  # as if it did not exist
    return caller


async def _handle(request: Request, endpoint: Endpoint, host: ApiHost, caller: ApiCaller) -> Response:
    body = parse_object(endpoint.body, await read_json(request)) if endpoint.body else None
    return await endpoint.handler(ApiCall(request, host, caller, body))
