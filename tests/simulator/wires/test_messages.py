"""The official Anthropic SDK finds what it expects, in every reply and in every fault."""

import json

import anthropic as sdk
import httpx2
import pytest

from tests.simulator.conftest import says

ASKED = {"model": "claude-sonnet-5-5", "max_tokens": 1000, "messages": says()}
SCHEMA = {
    "type": "object",
    "properties": {"ok": {"type": "boolean"}},
    "required": ["ok"],
    "additionalProperties": False,
}


async def test_a_whole_message(anthropic, sim):
    message = await anthropic.messages.create(**ASKED, system="Be brief.")
    entry = sim.ledger.calls[0]
    assert (message.type, message.role, message.model) == ("message", "assistant", "claude-sonnet-5-5")
    assert message.stop_reason == "end_turn"
    assert 100 < len(message.content[0].text.split()) < 220
    assert message.usage.input_tokens == entry.input_tokens > 0
    assert message.usage.output_tokens == entry.output_tokens > 0
    assert message.usage.cache_read_input_tokens == 0
    assert message._request_id == entry.request_id


async def test_the_stream_helper_accumulates_the_same_message(anthropic):
    whole = await anthropic.messages.create(**ASKED)
    async with anthropic.messages.stream(**ASKED) as stream:
        pieces = [piece async for piece in stream.text_stream]
        message = await stream.get_final_message()
    assert "".join(pieces) == message.content[0].text == whole.content[0].text
    assert len(pieces) > 5
    assert (message.stop_reason, message.usage.output_tokens) == ("end_turn", whole.usage.output_tokens)


async def test_events_come_in_the_vendors_order(http):
    with http.stream("POST", "/v1/messages", json={**ASKED, "stream": True}) as reply:
        lines = list(reply.iter_lines())
    names = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    deltas = names.count("content_block_delta")
    assert names == [
        "message_start",
        "content_block_start",
        "ping",
        *["content_block_delta"] * deltas,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert deltas > 5
    data = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    assert [event["type"] for event in data] == names
    assert data[0]["message"]["usage"]["output_tokens"] == 1
    assert data[0]["message"]["stop_reason"] is None
    assert reply.headers["content-type"].startswith("text/event-stream")


async def test_rate_headers_and_both_ways_to_send_a_key(http, sim):
    reply = http.post("/anthropic/v1/messages", json=ASKED, headers={"authorization": "", "x-api-key": "k"})
    assert reply.status_code == 200
    assert reply.headers["request-id"] == sim.ledger.calls[0].request_id
    for window in ("requests", "tokens", "input-tokens", "output-tokens"):
        told = {part: reply.headers[f"anthropic-ratelimit-{window}-{part}"] for part in ("limit", "remaining", "reset")}
        assert int(told["remaining"]) <= int(told["limit"])
        assert told["reset"].endswith("Z")


async def test_structured_output(anthropic):
    message = await anthropic.messages.create(
        **ASKED, output_config={"format": {"type": "json_schema", "schema": SCHEMA}}
    )
    assert isinstance(json.loads(message.content[0].text)["ok"], bool)


async def test_models_and_token_counts(anthropic):
    listed = [model.id async for model in anthropic.models.list()]
    assert "claude-opus-5-5" in listed
    assert all(model.startswith("claude-") for model in listed)
    counted = await anthropic.messages.count_tokens(model=ASKED["model"], messages=says("four"))
    assert counted.input_tokens == 1


@pytest.mark.parametrize(
    ("change", "status", "kind", "words"),
    [
        ({"model": None}, 400, "invalid_request_error", "model"),
        ({"max_tokens": None}, 400, "invalid_request_error", "max_tokens"),
        ({"max_tokens": 0}, 400, "invalid_request_error", "max_tokens"),
        ({"messages": []}, 400, "invalid_request_error", "messages"),
        ({"messages": [{"role": "system", "content": "x"}]}, 400, "invalid_request_error", "role"),
        ({"messages": ["x"]}, 400, "invalid_request_error", "messages.0"),
        ({"temperature": 0.5}, 400, "invalid_request_error", "temperature"),
        ({"model": "gpt-6-luna"}, 404, "not_found_error", "gpt-6-luna"),
        ({"model": "claude-3-7-sonnet-latest"}, 404, "not_found_error", "claude-3-7"),
    ],
)
def test_what_the_vendor_refuses(http, change, status, kind, words):
    body = {name: value for name, value in {**ASKED, **change}.items() if value is not None}
    reply = http.post("/v1/messages", json=body)
    error = reply.json()["error"]
    assert (reply.status_code, error["type"]) == (status, kind)
    assert words in error["message"]
    assert reply.json()["request_id"] == reply.headers["request-id"]


@pytest.mark.parametrize("key", ["Basic k", "Bearer a-bad-key"])
def test_a_key_is_needed(http, key):
    reply = http.post("/v1/messages", json=ASKED, headers={"authorization": key})
    assert (reply.status_code, reply.json()["error"]["type"]) == (401, "authentication_error")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"'])
def test_a_body_that_is_no_request(http, body):
    assert http.post("/v1/messages", content=body).status_code == 400


@pytest.mark.parametrize(
    ("fault", "error", "status", "kind"),
    [
        ("rate_limit", sdk.RateLimitError, 429, "rate_limit_error"),
        ("quota", sdk.RateLimitError, 429, "rate_limit_error"),
        ("auth", sdk.AuthenticationError, 401, "authentication_error"),
        ("server_error", sdk.InternalServerError, 500, "api_error"),
        ("overloaded", sdk.InternalServerError, 529, "overloaded_error"),
    ],
)
async def test_refusals_are_the_sdks_classes(anthropic, sim, fault, error, status, kind):
    sim.set_faults({"fault": fault, "retry_after": 3})
    with pytest.raises(error) as caught:
        await anthropic.messages.create(**ASKED)
    assert (caught.value.status_code, caught.value.type) == (status, kind)
    assert caught.value.request_id == sim.ledger.calls[0].request_id
    waits = caught.value.response.headers.get("retry-after")
    assert waits == (None if fault in {"quota", "auth"} else "3")
    if fault == "quota":
        assert caught.value.error_code == "enforced_spend_limit_reached"


async def _events(client):
    stream = await client.messages.create(**ASKED, stream=True, timeout=0.3)
    return [event.type async for event in stream]


async def test_a_clean_early_end_is_silent_in_the_sdk(anthropic, sim):
    sim.set_faults({"fault": "eof"})
    assert "message_stop" not in await _events(anthropic)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("cut", httpx2.TransportError),
        ("stall", httpx2.ReadTimeout),
        ("malformed", json.JSONDecodeError),
        ("error_event", sdk.APIStatusError),
        ("refuse_connection", sdk.APIConnectionError),
    ],
)
async def test_broken_streams_are_the_sdks_errors(anthropic, sim, fault, error):
    sim.set_faults({"fault": fault})
    with pytest.raises(error) as caught:
        await _events(anthropic)
    if fault == "error_event":
        assert (caught.value.status_code, caught.value.type) == (200, "overloaded_error")


async def test_what_is_no_stream_has_no_events(anthropic, sim):
    sim.set_faults({"fault": "not_a_stream"})
    assert await _events(anthropic) == []


@pytest.mark.parametrize(
    ("fault", "reason"), [("refusal", "refusal"), ("max_tokens", "max_tokens"), ("empty", "end_turn")]
)
async def test_stop_reasons(anthropic, sim, fault, reason):
    sim.set_faults({"fault": fault})
    whole = await anthropic.messages.create(**ASKED)
    async with anthropic.messages.stream(**ASKED) as stream:
        streamed = await stream.get_final_message()
    assert whole.stop_reason == streamed.stop_reason == reason
    if fault == "refusal":
        assert whole.stop_details.type == "refusal"


async def test_usage_can_be_missing(anthropic, sim):
    sim.set_faults({"fault": "no_usage"})
    message = await anthropic.messages.create(**ASKED)
    assert getattr(message, "usage", None) is None
