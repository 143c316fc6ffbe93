"""`/v1` as the official OpenAI client sees it, over a real socket, the real engine and simulated providers."""

from __future__ import annotations

import asyncio
import json

import httpx
import openai
import pytest

from ai3ray.domain.call import Usage
from ai3ray.domain.events import Final, PlanProgress, TaskArtifact
from ai3ray.server.in_process import inline_server
from ai3ray.server.openai.answer_stream import AnswerStream
from tests.conftest import make_home

MODEL = "anthropic/claude-sonnet-5-5"


@pytest.fixture
async def http(simulator, home_folder):
    home = make_home(home_folder, simulator, AI3_MAX_CONCURRENCY_PER_PROVIDER="8")
    async with inline_server(home.settings, home.env) as socket:
        transport = httpx.AsyncHTTPTransport(uds=str(socket))
        async with httpx.AsyncClient(transport=transport, base_url="http://ai3", timeout=30) as client:
            yield client


@pytest.fixture
async def client(http):
    async with openai.AsyncOpenAI(api_key="any", base_url="http://ai3/v1", http_client=http, max_retries=0) as client:
        yield client


def asked(text: str, *earlier: tuple[str, str]) -> list[dict[str, str]]:
    return [{"role": role, "content": said} for role, said in earlier] + [{"role": "user", "content": text}]


async def text_of(stream) -> tuple[str, list]:
    chunks = [chunk async for chunk in stream]
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices), chunks


async def test_an_answer_is_the_runs_output_and_its_usage_the_runs_sum(client, http):
    raw = await client.chat.completions.with_raw_response.create(
        model="ai3/direct", messages=asked("Name three rivers")
    )
    run = (await http.get(f"/runs/{raw.headers['x-ai3-run-id']}")).json()
    completion = raw.parse()
    assert completion.choices[0].message.content == run["output"] != ""
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage.prompt_tokens == run["stats"]["input_tokens"] > 0
    assert completion.usage.completion_tokens == run["stats"]["output_tokens"] > 0
    assert len(run["tasks"]) == 1


async def test_ai3_plans(client, http):
    raw = await client.chat.completions.with_raw_response.create(
        model="ai3", messages=asked("Write a 3-section blog post about AI")
    )
    run = (await http.get(f"/runs/{raw.headers['x-ai3-run-id']}")).json()
    assert len(run["tasks"]) == 3
    assert raw.parse().choices[0].message.content == run["output"]


async def test_a_registry_id_is_the_only_model_that_is_called(client, simulator):
    completion = await client.chat.completions.create(model=MODEL, messages=asked("Name three rivers"))
    assert completion.model == MODEL
    assert {call.model for call in simulator.ledger.calls} == {"claude-sonnet-5-5"}


async def test_one_authors_answer_streams_while_it_is_written(client, simulator, http):
    stream = await client.chat.completions.create(
        model="ai3/direct",
        messages=asked("Name three rivers"),
        stream=True,
        stream_options={"include_usage": True},
    )
    text, chunks = await text_of(stream)
    run = (await http.get(f"/runs/{stream.response.headers['x-ai3-run-id']}")).json()
    assert text == run["output"]
    pieces = [chunk for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    assert len(pieces) > 3, "it came in one piece"
    assert chunks[-1].usage.total_tokens == run["stats"]["input_tokens"] + run["stats"]["output_tokens"]
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"


async def test_the_sections_of_a_planned_answer_stream_as_the_whole(client, http):
    stream = await client.chat.completions.create(
        model="ai3", messages=asked("Write a 3-section blog post about AI"), stream=True
    )
    text, _ = await text_of(stream)
    run = (await http.get(f"/runs/{stream.response.headers['x-ai3-run-id']}")).json()
    assert text == run["output"]


def artifact(task_id: str, text: str) -> TaskArtifact:
    return TaskArtifact(task_id=task_id, artifact="sha256:0", text=text, model=MODEL, usage=Usage(), cost_usd=None)


def test_a_section_is_shown_when_those_before_it_are_there():
    plan = {"tasks": [{"id": "a", "prompt": "A"}, {"id": "b", "prompt": "B"}, {"id": "c", "prompt": "C"}]}
    stream = AnswerStream()
    shown = [
        "".join(stream.feed(event))
        for event in (
            PlanProgress(phase="completed", plan=plan),
            artifact("b", "two"),
            artifact("a", "one"),
            artifact("c", "three"),
            Final(status="succeeded", output="one\n\ntwo\n\nthree"),
        )
    ]
    assert shown == ["", "", "one\n\ntwo", "\n\nthree", ""]


async def test_text_that_fails_its_checks_is_followed_by_the_checked_answer(client, simulator, http):
    simulator.set_faults({"contains": "Name three rivers", "when": {"first": 1}, "fault": "defect"})
    stream = await client.chat.completions.create(
        model=MODEL, messages=asked("Name three rivers"), stream=True, metadata={"models": f"{MODEL},xai/grok-4.7"}
    )
    text, _ = await text_of(stream)
    run = (await http.get(f"/runs/{stream.response.headers['x-ai3-run-id']}")).json()
    assert "did not pass its checks" in text
    assert text.endswith(run["output"])


async def test_earlier_turns_are_context(client, simulator):
    simulator.set_faults({"contains": "It is a zebra", "fault": "quota"})  # it strikes whoever is told of the zebra
    with pytest.raises(openai.APIStatusError, match=r"quota|credit|spend"):
        await client.chat.completions.create(
            model=MODEL, messages=asked("What is it?", ("system", "Be brief"), ("user", "It is a zebra"))
        )
    assert (await client.chat.completions.create(model=MODEL, messages=asked("What is it?"))).choices


async def test_json_of_a_schema_is_what_comes(client):
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    completion = await client.chat.completions.create(
        model="ai3/direct",
        messages=asked("A river as JSON"),
        response_format={"type": "json_schema", "json_schema": {"name": "river", "schema": schema}},
    )
    assert "name" in json.loads(completion.choices[0].message.content)


async def test_metadata_carries_options_and_labels(client, http):
    raw = await client.chat.completions.with_raw_response.create(
        model="ai3/direct", messages=asked("Name three rivers"), metadata={"verify": "false", "team": "blue"}
    )
    run = (await http.get(f"/runs/{raw.headers['x-ai3-run-id']}")).json()
    assert run["tasks"][0]["verdict"] is None
    rows = (await http.post("/sql", json={"query": "select body from events where type = 'run_start'"})).json()["rows"]
    assert rows[0]["body"]["request"]["metadata"] == {"team": "blue"}


async def test_the_models_are_ai3_and_whatever_can_be_called(client):
    ids = [model.id async for model in client.models.list()]
    assert ids[:2] == ["ai3", "ai3/direct"]
    assert MODEL in ids
    assert (await client.models.retrieve(MODEL)).owned_by == "anthropic"
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve("nobody/nothing")


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"model": "ai3", "response_format": {"type": "json_object"}}, "response_format"),
        ({"messages": [*asked("x"), {"role": "assistant", "content": "z"}]}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role"),
        ({"n": 2}, "n"),
        ({"metadata": {"deadline_s": "soon"}}, "metadata.deadline_s"),
        ({"metadata": {"deadline_s": "-1"}}, "metadata.deadline_s"),
        ({"tools": []}, "tools"),
        ({"api_key": "sk-x"}, "api_key"),
        ({"messages": asked("  ")}, "messages"),
    ],
)
async def test_what_is_wrong_is_named(http, change, param):
    response = await http.post("/v1/chat/completions", json={"model": "ai3/direct", "messages": asked("x")} | change)
    assert response.status_code == 400, response.text
    assert response.json()["error"]["param"] == param


async def test_an_unknown_model_is_an_error_of_the_official_client(client):
    with pytest.raises(openai.BadRequestError, match="nobody"):
        await client.chat.completions.create(model="nobody/nothing", messages=asked("x"))


async def test_a_run_that_fails_is_an_error_streamed_or_not(client, simulator):
    simulator.set_faults({"contains": "Name three rivers", "fault": "refusal"})
    with pytest.raises(openai.APIStatusError) as refused:
        await client.chat.completions.create(model=MODEL, messages=asked("Name three rivers"))
    assert refused.value.status_code == 502
    assert refused.value.response.headers["x-ai3-run-id"]
    stream = await client.chat.completions.create(model=MODEL, messages=asked("Name three rivers"), stream=True)
    with pytest.raises(openai.APIError):
        await text_of(stream)


async def test_a_client_that_leaves_does_not_stop_the_run(client, http):
    stream = await client.chat.completions.create(model="ai3/direct", messages=asked("Name three rivers"), stream=True)
    run_id = stream.response.headers["x-ai3-run-id"]
    await stream.close()
    async with http.stream("GET", f"/runs/{run_id}/events") as events, asyncio.timeout(20):
        async for _ in events.aiter_lines():
            pass
    assert (await http.get(f"/runs/{run_id}")).json()["status"] == "succeeded"
