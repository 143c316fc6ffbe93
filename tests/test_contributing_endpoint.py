"""CONTRIBUTING, "add an endpoint": one function and one row, and nothing else."""

from __future__ import annotations

import httpx
import pytest
from pydantic import Field

from ai3ray.domain.access import AccessRules, new_api_key
from ai3ray.domain.frozen import Frozen
from ai3ray.server.access.keys import Access
from ai3ray.server.app import build_app
from ai3ray.server.endpoints import ENDPOINTS
from ai3ray.server.engine_gate import EngineGate
from ai3ray.server.error_replies import json_response
from ai3ray.server.parameters import flag
from ai3ray.server.routing import Endpoint
from tests.server.memory import MemoryEngine

READER, READ_KEY = new_api_key("reader", ["read"])
RUNNER, RUN_KEY = new_api_key("runner", ["run"])


class Words(Frozen):
    """The body of the example."""

    text: str = Field(max_length=100)
    """The text to count."""


class Count(Frozen):
    """The answer of the example."""

    words: int
    """Words of the text."""
    runs: int
    """Runs that the caller may see."""


LOUD = flag("loud", "Ten times as many.")


async def count_words(call):
    """The endpoint's function."""
    engine = await call.engine()
    words = len(call.body.text.split()) * (10 if LOUD.read(call.request) else 1)
    return json_response(Count(words=words, runs=len(await engine.runs(owner=call.caller.owner))))


ROW = Endpoint(
    "POST",
    "/words/{language}",
    "read",
    count_words,
    "Count words.",
    body=Words,
    answer=Count,
    errors=(410,),
    parameters=(LOUD,),
)


@pytest.fixture
async def http():
    access = Access(AccessRules(keys=(READ_KEY, RUN_KEY)))
    app = build_app(EngineGate(MemoryEngine()), access=access, endpoints=(*ENDPOINTS, ROW))
    transport = httpx.ASGITransport(app=app)
    headers = {"authorization": f"Bearer {READER}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://app", headers=headers) as client:
        yield client


async def test_the_route_answers(http):
    assert (await http.post("/words/en", json={"text": "a b c"})).json() == {"words": 3, "runs": 0}
    assert (await http.post("/words/en?loud=true", json={"text": "a b c"})).json()["words"] == 30
    assert (await http.get("/words/en")).status_code == 405


@pytest.mark.parametrize(("secret", "status"), [("", 401), (RUNNER, 403), (READER, 200)], ids=["none", "run", "read"])
async def test_the_scope_is_checked(http, secret, status):
    response = await http.post("/words/en", json={"text": "a"}, headers={"authorization": f"Bearer {secret}"})
    assert response.status_code == status


@pytest.mark.parametrize(
    ("body", "path", "param", "message"),
    [
        ({}, "/words/en", "text", "text: it is missing"),
        ({"text": 5}, "/words/en", "text", "text: it has to be text"),
        ({"text": "a", "colour": "red"}, "/words/en", "colour", "colour: this field is not supported"),
        ([], "/words/en", None, "the request is not a JSON object"),
        ({"text": "a"}, "/words/en?loud=very", "loud", "loud must be true or false, not 'very'"),
    ],
)
async def test_body_and_parameters_are_validated(http, body, path, param, message):
    response = await http.post(path, json=body)
    error = response.json()["error"]
    assert (response.status_code, error.get("param"), error["message"]) == (400, param, message)


async def test_the_document_describes_it(http):
    document = (await http.get("/openapi.json")).json()
    operation = document["paths"]["/words/{language}"]["post"]
    assert (operation["summary"], operation["x-ai3-scope"]) == ("Count words.", "read")
    body = operation["requestBody"]["content"]["application/json"]["schema"]
    answer = operation["responses"]["200"]["content"]["application/json"]["schema"]
    assert (body["$ref"], answer["$ref"]) == ("#/components/schemas/Words", "#/components/schemas/Count")
    assert [parameter["name"] for parameter in operation["parameters"]] == ["language", "loud"]
    assert {"400", "401", "403", "410", "413"} <= operation["responses"].keys()
