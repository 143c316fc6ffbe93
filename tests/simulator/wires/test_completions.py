"""The official OpenAI SDK finds what it expects, in every reply and in every fault, of OpenAI and of xAI."""

import json

import openai as sdk
import pytest

from tests.simulator.conftest import says

ASKED = {"model": "gpt-6-luna", "messages": says()}
SCHEMA = {
    "type": "object",
    "properties": {"ok": {"type": "boolean"}},
    "required": ["ok"],
    "additionalProperties": False,
}


async def chunks(client, **more):
    stream = await client.chat.completions.create(**{**ASKED, **more}, stream=True, timeout=0.3)
    return [chunk async for chunk in stream]


async def test_a_whole_completion(openai, sim):
    reply = await openai.chat.completions.create(**ASKED)
    entry = sim.ledger.calls[0]
    assert (reply.object, reply.model, reply.choices[0].finish_reason) == ("chat.completion", "gpt-6-luna", "stop")
    assert 100 < len(reply.choices[0].message.content.split()) < 220
    assert reply.usage.prompt_tokens == entry.input_tokens
    assert reply.usage.completion_tokens == entry.output_tokens
    assert reply.usage.total_tokens == entry.input_tokens + entry.output_tokens
    assert reply._request_id == entry.request_id


async def test_a_stream_ends_with_usage_only_when_asked_for(openai):
    whole = await openai.chat.completions.create(**ASKED)
    told = await chunks(openai, stream_options={"include_usage": True})
    untold = await chunks(openai)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in untold) == whole.choices[0].message.content
    assert told[-1].choices == []
    assert told[-1].usage == whole.usage
    assert all(chunk.usage is None for chunk in [*untold, *told[:-1]])
    assert (untold[0].choices[0].delta.role, untold[-1].choices[0].finish_reason) == ("assistant", "stop")


async def test_the_stream_ends_with_its_marker(http):
    with http.stream("POST", "/openai/v1/chat/completions", json={**ASKED, "stream": True}) as reply:
        lines = [line for line in reply.iter_lines() if line]
    assert all(line.startswith("data: ") for line in lines)
    assert lines[-1] == "data: [DONE]"


def test_rate_headers(http, sim):
    reply = http.post("/v1/chat/completions", json=ASKED)
    assert reply.headers["x-request-id"] == sim.ledger.calls[0].request_id
    assert reply.headers["x-ratelimit-limit-requests"] == "20000"
    assert reply.headers["x-ratelimit-remaining-requests"] == "19999"
    assert reply.headers["x-ratelimit-reset-tokens"].endswith("ms")


async def test_structured_output(openai):
    wanted = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA}}
    reply = await openai.chat.completions.create(**ASKED, response_format=wanted)
    assert isinstance(json.loads(reply.choices[0].message.content)["ok"], bool)


async def test_a_cap_ends_the_answer(openai):
    reply = await openai.chat.completions.create(**ASKED, max_completion_tokens=5)
    assert (reply.choices[0].finish_reason, reply.usage.completion_tokens) == ("length", 5)


async def test_models(openai):
    listed = [model.id async for model in openai.models.list()]
    assert {"gpt-6.1-sol", "grok-4.7"} <= set(listed)


@pytest.mark.parametrize(
    ("change", "status", "code", "words"),
    [
        ({"model": None}, 400, None, "model"),
        ({"messages": []}, 400, None, "messages"),
        ({"max_completion_tokens": 0}, 400, None, "max_completion_tokens"),
        ({"temperature": 0}, 400, None, "temperature"),
        ({"model": "claude-opus-5-5"}, 404, "model_not_found", "claude-opus-5-5"),
        ({"model": "gpt-4"}, 404, "model_not_found", "gpt-4"),
    ],
)
def test_what_the_vendor_refuses(http, change, status, code, words):
    body = {name: value for name, value in {**ASKED, **change}.items() if value is not None}
    reply = http.post("/v1/chat/completions", json=body)
    error = reply.json()["error"]
    assert (reply.status_code, error["code"], error["type"]) == (status, code, "invalid_request_error")
    assert words in error["message"]


@pytest.mark.parametrize(
    ("fault", "error", "status", "code"),
    [
        ("rate_limit", sdk.RateLimitError, 429, "rate_limit_exceeded"),
        ("quota", sdk.RateLimitError, 429, "credit_balance_exhausted"),
        ("auth", sdk.AuthenticationError, 401, "invalid_api_key"),
        ("server_error", sdk.InternalServerError, 500, None),
        ("overloaded", sdk.InternalServerError, 503, "server_is_overloaded"),
    ],
)
async def test_refusals_are_the_sdks_classes(openai, sim, fault, error, status, code):
    sim.set_faults({"fault": fault, "retry_after": 0.25})
    with pytest.raises(error) as caught:
        await openai.chat.completions.create(**ASKED)
    assert (caught.value.status_code, caught.value.code) == (status, code)
    waits = caught.value.response.headers.get("retry-after-ms")
    assert waits == (None if fault in {"quota", "auth"} else "250")


async def test_a_clean_early_end_is_silent_in_the_sdk(openai, sim):
    sim.set_faults({"fault": "eof"})
    assert all(chunk.choices[0].finish_reason is None for chunk in await chunks(openai))


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("cut", sdk.APIConnectionError),
        ("stall", sdk.APITimeoutError),
        ("malformed", json.JSONDecodeError),
        ("error_event", sdk.APIError),
        ("refuse_connection", sdk.APIConnectionError),
    ],
)
async def test_broken_streams_are_the_sdks_errors(openai, sim, fault, error):
    sim.set_faults({"fault": fault})
    with pytest.raises(error):
        await chunks(openai)


async def test_what_is_no_stream_has_no_events(openai, sim):
    sim.set_faults({"fault": "not_a_stream"})
    assert await chunks(openai) == []


@pytest.mark.parametrize(
    ("fault", "reason"), [("refusal", "content_filter"), ("max_tokens", "length"), ("empty", "stop")]
)
async def test_finish_reasons(openai, sim, fault, reason):
    sim.set_faults({"fault": fault})
    whole = await openai.chat.completions.create(**ASKED)
    streamed = await chunks(openai)
    assert whole.choices[0].finish_reason == streamed[-1].choices[0].finish_reason == reason


async def test_xai_bills_in_ticks_and_counts_reasoning_beside(openai, sim):
    reply = await openai.chat.completions.create(model="grok-4.7", messages=says())
    usage, entry = reply.usage, sim.ledger.calls[0]
    reasoning = usage.completion_tokens_details.reasoning_tokens
    assert entry.provider == "xai"
    assert reasoning > 0
    assert usage.completion_tokens + reasoning == entry.output_tokens
    assert usage.total_tokens == usage.prompt_tokens + entry.output_tokens
    assert usage.cost_in_usd_ticks * 1e-10 == pytest.approx(entry.cost_usd)


def test_xai_refuses_in_its_own_shape(http, sim):
    sim.set_faults({"fault": "rate_limit", "provider": "xai"})
    reply = http.post("/xai/v1/chat/completions", json={"model": "grok-4.7", "messages": says()})
    assert reply.status_code == 429
    assert reply.json() == {"code": "Some resource has been exhausted", "error": "Rate limit reached, slow down"}


def test_xai_takes_a_temperature(http):
    body = {"model": "grok-4.7", "messages": says(), "temperature": 0}
    assert http.post("/v1/chat/completions", json=body).status_code == 200
