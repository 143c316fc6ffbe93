"""The simulator as an ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from ai3ray.errors import RequestError
from ai3ray.simulator.asked import tokens
from ai3ray.simulator.completions import CompletionsWire
from ai3ray.simulator.faults import Fault, read_faults
from ai3ray.simulator.messages import MessagesWire
from ai3ray.simulator.serving import Serving, decoded
from ai3ray.simulator.settings import Account, SimulatorSettings
from ai3ray.simulator.simulation import Simulation, account_of
from ai3ray.simulator.wire import Wire, text_of

_CREATED = "2026-01-01T00:00:00Z"


def app(settings: SimulatorSettings | None = None, simulation: Simulation | None = None) -> Starlette:
    """The application: both wire formats and the `/_sim` routes.

    Args:
        settings: how it behaves; the packaged settings when absent.
        simulation: the state to serve, for a host that wants to see it.
    """
    simulation = simulation or Simulation(settings or SimulatorSettings.load())
    control = Control(simulation)
    routes: list[BaseRoute] = [
        Route("/_sim/ledger", control.ledger, methods=["GET"]),
        Route("/_sim/faults", control.faults, methods=["GET"]),
        Route("/_sim/faults", control.set_faults, methods=["POST"]),
        Route("/_sim/faults", control.clear_faults, methods=["DELETE"]),
        Route("/_sim/reset", control.reset, methods=["POST", "DELETE"]),
    ]
    for version in ("", "/v1"):
        for account in (None, "anthropic", "openai", "xai"):
            routes += _routes(simulation, version, account)
    return Starlette(routes=routes)


def _routes(simulation: Simulation, version: str, account: Account | None) -> list[BaseRoute]:
    """The routes of one account, or of those that tell the account by path and model."""
    base = f"/{account}{version}" if account else version
    routes: list[BaseRoute] = [Route(f"{base}/models", Models(simulation, account).list, methods=["GET"])]
    if account in (None, "anthropic"):
        routes.append(Route(f"{base}/messages", Chat(simulation, "anthropic"), methods=["POST"]))
        routes.append(Route(f"{base}/messages/count_tokens", _count_tokens, methods=["POST"]))
    if account != "anthropic":
        routes.append(Route(f"{base}/chat/completions", Chat(simulation, account), methods=["POST"]))
    return routes


class Chat:
    """A route that answers chat calls.

    Args:
        simulation: the providers' state.
        account: whose route it is; told by the model when None.
    """

    def __init__(self, simulation: Simulation, account: Account | None) -> None:
        self._simulation = simulation
        self._account = account

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        request = Request(scope, receive)
        try:
            body = decoded(await request.body())
        except ClientDisconnect:
            return
        account = self._account or account_of(body.get("model") if isinstance(body, Mapping) else None)
        serving = Serving(self._simulation, _wire(account), account, scope, send)
        await serving.serve(body, request.headers, receive)


class Models:
    """A route that lists models.

    Args:
        simulation: the providers' state.
        account: whose models; told by the request's headers when None.
    """

    def __init__(self, simulation: Simulation, account: Account | None) -> None:
        self._simulation = simulation
        self._account = account

    async def list(self, request: Request) -> Response:
        """GET /v1/models in the account's format."""
        account = self._account or ("anthropic" if "anthropic-version" in request.headers else None)
        if account == "anthropic":
            ids = self._simulation.models("anthropic")
            data = [{"type": "model", "id": model, "display_name": model, "created_at": _CREATED} for model in ids]
            return JSONResponse({"data": data, "has_more": False, "first_id": ids[0], "last_id": ids[-1]})
        accounts: tuple[Account, ...] = (account,) if account else ("openai", "xai")
        ids = [model for name in accounts for model in self._simulation.models(name)]
        listed = [{"id": model, "object": "model", "created": 1767225600, "owned_by": "simulator"} for model in ids]
        return JSONResponse({"object": "list", "data": listed})


class Control:
    """The `/_sim` routes.

    Args:
        simulation: the providers' state.
    """

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    async def ledger(self, request: Request) -> Response:
        """What was asked and billed.

        `?wait_calls=N` waits until so many requests have arrived, `?wait_idle=true` until none is open, both at
        most `?seconds=S` (10); `?prompts=true` shows what was asked.
        """
        query, ledger = request.query_params, self._simulation.ledger
        with contextlib.suppress(TimeoutError):  # the reply tells how far it came
            async with asyncio.timeout(float(query.get("seconds", 10))):
                await ledger.arrived(int(query.get("wait_calls", 0)))
                if query.get("wait_idle") == "true":
                    await ledger.idle.wait()
        return JSONResponse(self._simulation.ledger.to_json(prompts=query.get("prompts") == "true"))

    async def faults(self, _request: Request) -> Response:
        """The rules in force."""
        return JSONResponse(_shown(self._simulation.faults.rules))

    async def set_faults(self, request: Request) -> Response:
        """Replace all rules."""
        try:
            rules = read_faults(decoded(await request.body()))
        except RequestError as error:
            shown = {"type": error.type, "message": str(error), "param": error.param}
            return JSONResponse({"error": shown}, status_code=400)
        self._simulation.faults.set(rules)
        return JSONResponse(_shown(rules))

    async def clear_faults(self, _request: Request) -> Response:
        """Remove all rules."""
        self._simulation.faults.set(())
        return JSONResponse([])

    async def reset(self, _request: Request) -> Response:
        """Forget everything."""
        self._simulation.reset()
        return JSONResponse({"reset": True})


async def _count_tokens(request: Request) -> Response:
    body = decoded(await request.body()) or {}
    texts = [text_of(body.get("system")), *(text_of(message.get("content")) for message in body.get("messages", []))]
    return JSONResponse({"input_tokens": tokens("\n\n".join(texts).strip())})


def _shown(rules: tuple[Fault, ...]) -> list[dict[str, Any]]:
    return [rule.model_dump(mode="json", by_alias=True, exclude_unset=True) for rule in rules]


def _wire(account: Account) -> Wire:
    return MessagesWire() if account == "anthropic" else CompletionsWire(xai=account == "xai")
