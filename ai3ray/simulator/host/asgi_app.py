"""The simulator as an ASGI application."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from ai3ray.simulator.host.chat_endpoint import ChatEndpoint, decoded
from ai3ray.simulator.host.control import ControlApi
from ai3ray.simulator.simulation import Simulation
from ai3ray.simulator.simulator_settings import SimulatorSettings
from ai3ray.simulator.vendors import VENDORS, VendorName
from ai3ray.simulator.wires.parsed_request import tokens
from ai3ray.simulator.wires.wire import text_of

_CREATED = "2026-01-01T00:00:00Z"


def app(settings: SimulatorSettings | None = None, simulation: Simulation | None = None) -> ASGIApp:
    """Build the application with both wire formats and the `/_sim` routes.

    Args:
        settings: the packaged ones when absent.
        simulation: the state to serve, if the host shares it.
    """
    simulation = simulation or Simulation(settings or SimulatorSettings.load())
    chats: dict[str, ChatEndpoint] = {}
    routes = ControlApi(simulation).routes()
    for version in ("", "/v1"):
        for vendor in (None, *VENDORS):
            base = f"/{vendor}{version}" if vendor else version
            chats |= _chats(simulation, base, vendor)
            routes += _others(simulation, base, vendor)
    return ChatRouter(chats, Starlette(routes=routes))


class ChatRouter:
    """A dictionary of the chat paths, because Starlette tries its routes in turn."""

    def __init__(self, chats: Mapping[str, ChatEndpoint], others: ASGIApp) -> None:
        self._chats = chats
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        chat = self._chats.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        await (chat or self._others)(scope, receive, send)


def _chats(simulation: Simulation, base: str, vendor: VendorName | None) -> dict[str, ChatEndpoint]:
    """Return the chat endpoints below `base`; without a vendor, path and model decide."""
    chats = {}
    if vendor in (None, "anthropic"):
        chats[f"{base}/messages"] = ChatEndpoint(simulation, "anthropic")
    if vendor != "anthropic":
        chats[f"{base}/chat/completions"] = ChatEndpoint(simulation, vendor)
    return chats


def _others(simulation: Simulation, base: str, vendor: VendorName | None) -> list[BaseRoute]:
    routes: list[BaseRoute] = [Route(f"{base}/models", ModelListRoute(simulation, vendor).list, methods=["GET"])]
    if vendor in (None, "anthropic"):
        routes.append(Route(f"{base}/messages/count_tokens", _count_tokens, methods=["POST"]))
    return routes


class ModelListRoute:
    """A route that lists a vendor's models; without a vendor, the request's headers decide."""

    def __init__(self, simulation: Simulation, vendor: VendorName | None) -> None:
        self._simulation = simulation
        self._vendor = vendor

    async def list(self, request: Request) -> Response:
        """Serve GET /v1/models in the vendor's format."""
        vendor = self._vendor or ("anthropic" if "anthropic-version" in request.headers else None)
        if vendor == "anthropic":
            ids = self._simulation.models("anthropic")
            data = [{"type": "model", "id": model, "display_name": model, "created_at": _CREATED} for model in ids]
            return JSONResponse({"data": data, "has_more": False, "first_id": ids[0], "last_id": ids[-1]})
        vendors: tuple[VendorName, ...] = (vendor,) if vendor else ("openai", "xai")
        ids = [model for name in vendors for model in self._simulation.models(name)]
        listed = [{"id": model, "object": "model", "created": 1767225600, "owned_by": "simulator"} for model in ids]
        return JSONResponse({"object": "list", "data": listed})


async def _count_tokens(request: Request) -> Response:
    body = decoded(await request.body()) or {}
    texts = [text_of(body.get("system")), *(text_of(message.get("content")) for message in body.get("messages", []))]
    return JSONResponse({"input_tokens": tokens("\n\n".join(texts).strip())})
