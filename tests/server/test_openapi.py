"""`/openapi.json` says what the server does: held against the routes, and against generated requests."""

from __future__ import annotations

import asyncio
import re
import socket
import threading

import httpx
import pytest
import schemathesis
import schemathesis.checks as checks
from hypothesis import HealthCheck, settings

from ai3ray.server.app import build_app
from ai3ray.server.endpoints import ENDPOINTS
from ai3ray.server.engine_gate import EngineGate
from ai3ray.server.in_process import inline_host
from ai3ray.server.openapi import openapi
from ai3ray.server.unix_socket import socket_server
from tests.conftest import make_home
from tests.server.memory import MemoryEngine

DOCUMENT = openapi(ENDPOINTS)
CHECKS = (
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
)


async def test_the_document_names_every_route_and_no_other():
    app = build_app(EngineGate(MemoryEngine()))
    routed = {
        (method.lower(), re.sub(r":\w+\}", "}", route.path))
        for route in app.routes
        for method in route.methods - {"HEAD"}
    }
    documented = {(method, path) for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert documented == routed


async def test_the_document_is_served():
    transport = httpx.ASGITransport(app=build_app(EngineGate(MemoryEngine())))
    async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
        response = await client.get("/openapi.json")
    assert response.json() == DOCUMENT
    assert response.json()["openapi"].startswith("3.1")


def test_every_error_is_documented_as_the_envelope():
    envelope = {"$ref": "#/components/schemas/Envelope"}
    for path in DOCUMENT["paths"].values():
        for operation in path.values():
            for status, response in operation["responses"].items():
                if not status.startswith("2"):
                    assert response["content"]["application/json"]["schema"] == envelope


@pytest.fixture(scope="module")
def server(shared_simulator, tmp_path_factory):
    """The address of the whole app over the real inline engine, in a thread of its own."""
    shared_simulator.reset()
    home = make_home(tmp_path_factory.mktemp("home"), shared_simulator, AI3_MAX_TASKS="2", AI3_MAX_RUNS="64")
    listener = socket.create_server(("127.0.0.1", 0))
    stops = []

    async def serve() -> None:
        async with inline_host(home.settings, home.env) as hosted:
            server = socket_server(build_app(EngineGate(hosted.engine)))
            stops.append(server)
            await server.serve(sockets=[listener])

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    stops[0].should_exit = True
    thread.join(30)


SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)


@SCHEMA.parametrize()
@settings(max_examples=30, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
def test_no_request_is_answered_with_what_is_not_documented(case, server):
    case.call_and_validate(base_url=server, checks=CHECKS, timeout=60)
