"""Every fault through the official clients, on the transport that ai3ray uses: what each of them makes of it."""

from __future__ import annotations

import asyncio
import json
from typing import get_args

import anthropic as a
import httpx2
import openai as o
import pytest
import pytest_asyncio

from ai3ray.simulator.fault_rules import FaultName

from .conftest import anthropic_client, openai_client, says

pytestmark = pytest.mark.asyncio(loop_scope="module")

CLAUDE = {"model": "claude-sonnet-5-5", "max_tokens": 1000, "messages": says()}
MODELS = {"openai": "gpt-6-luna", "xai": "grok-4.7"}
WAIT_S = 2

# fault: (Anthropic's class, status, error code), (OpenAI's class, status, code), whether `retry-after` is sent
REFUSED = {
    "rate_limit": ((a.RateLimitError, 429, None), (o.RateLimitError, 429, "rate_limit_exceeded"), True),
    "rate_limit_no_wait": ((a.RateLimitError, 429, None), (o.RateLimitError, 429, "rate_limit_exceeded"), False),
    "ramp_limit": (
        (a.RampLimitExceededError, 429, "ramp_limit_exceeded"),
        (o.RateLimitError, 429, "slow_down"),
        True,
    ),
    "quota": (
        (a.EnforcedSpendLimitReachedError, 429, "enforced_spend_limit_reached"),
        (o.RateLimitError, 429, "credit_balance_exhausted"),
        False,
    ),
    "billing": (
        (a.PaymentRequiredError, 402, None),
        (o.APIStatusError, 402, "credit_balance_exhausted"),
        False,
    ),
    "auth": ((a.AuthenticationError, 401, None), (o.AuthenticationError, 401, "invalid_api_key"), False),
    "forbidden": (
        (a.PermissionDeniedError, 403, None),
        (o.PermissionDeniedError, 403, "unsupported_country_region_territory"),
        False,
    ),
    "unknown_model": ((a.NotFoundError, 404, None), (o.NotFoundError, 404, "model_not_found"), False),
    "too_large": ((a.ContentTooLargeError, 413, None), (o.APIStatusError, 413, "request_too_large"), False),
    "context_overflow": (
        (a.BadRequestError, 400, None),
        (o.BadRequestError, 400, "context_length_exceeded"),
        False,
    ),
    "server_error": ((a.InternalServerError, 500, None), (o.InternalServerError, 500, None), True),
    "bad_gateway": ((a.InternalServerError, 502, None), (o.InternalServerError, 502, None), True),
    "unavailable": ((a.ServiceUnavailableError, 503, None), (o.InternalServerError, 503, None), True),
    "timeout": ((a.GatewayTimeoutError, 504, None), (o.InternalServerError, 504, "timeout"), True),
    "overloaded": ((a.OverloadedError, 529, None), (o.InternalServerError, 503, "server_is_overloaded"), True),
}
TYPES = {
    "billing": "billing_error",
    "auth": "authentication_error",
    "forbidden": "permission_error",
    "unknown_model": "not_found_error",
    "too_large": "request_too_large",
    "context_overflow": "invalid_request_error",
    "server_error": "api_error",
    "bad_gateway": None,
    "unavailable": "api_error",
    "timeout": "timeout_error",
    "overloaded": "overloaded_error",
}

# fault: Anthropic's streamed and whole, OpenAI's streamed and whole
BROKEN = {
    # An aborted connection is told as a timeout by OpenAI's transport; APITimeoutError is an APIConnectionError.
    "refuse_connection": (a.APIConnectionError, a.APIConnectionError, o.APIConnectionError, o.APIConnectionError),
    "stall_first_byte": (a.APITimeoutError, a.APITimeoutError, o.APITimeoutError, o.APITimeoutError),
    "stall": (httpx2.ReadTimeout, a.APITimeoutError, o.APITimeoutError, o.APITimeoutError),
    "cut": (httpx2.ReadError, a.APIConnectionError, o.APIConnectionError, o.APIConnectionError),
    "malformed": (json.JSONDecodeError,) * 4,
}
# Those the clients say nothing about, and those that are whole answers.
SILENT = {"eof", "error_event", "not_a_stream"}
ANSWERED = {"empty", "refusal", "max_tokens", "defect"}
FIGURES = {
    "no_usage": lambda real: None,
    "zero_usage": lambda real: 0,
    "negative_usage": lambda real: -1 - real,
    "huge_usage": lambda real: 10**18 + real,
    "string_usage": lambda real: f"about {real}",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def claude(_shared):
    async with anthropic_client(_shared) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gpt(_shared):
    async with openai_client(_shared) as client:
        yield client


async def claude_stream(client, within_s=5):
    stream = await client.messages.create(**CLAUDE, stream=True, timeout=within_s)
    return [event async for event in stream]


async def claude_whole(client, within_s=5):
    return await client.messages.create(**CLAUDE, timeout=within_s)


async def chat_stream(client, vendor, within_s=5):
    asked = {"model": MODELS[vendor], "messages": says(), "stream": True, "stream_options": {"include_usage": True}}
    return [chunk async for chunk in await client.chat.completions.create(**asked, timeout=within_s)]


async def chat_whole(client, vendor, within_s=5):
    return await client.chat.completions.create(model=MODELS[vendor], messages=says(), timeout=within_s)


def patience(fault):
    """Seconds a client waits: few where that is what the test waits for."""
    return 0.1 if fault.startswith("stall") else 5


async def raised(call):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is the question
        await call
    return caught.value


async def test_every_fault_is_in_one_of_the_tables():
    tables = [*REFUSED, *BROKEN, *SILENT, *ANSWERED, *FIGURES, "outage"]
    assert sorted(tables) == sorted(get_args(FaultName))


@pytest.mark.parametrize("fault", REFUSED)
async def test_a_refusal_is_anthropics_class(claude, sim, fault):
    (kind, status, code), _, waits = REFUSED[fault]
    sim.set_faults({"fault": fault, "retry_after": WAIT_S})
    for call in (claude_stream, claude_whole):
        error = await raised(call(claude))
        assert (type(error), error.status_code, error.error_code) == (kind, status, code)
        assert error.type == TYPES.get(fault, "rate_limit_error")
        assert error.request_id == sim.ledger.calls[-1].request_id
        assert error.response.headers.get("retry-after") == (str(WAIT_S) if waits else None)
        entry = sim.ledger.calls[-1]
        assert (entry.status, entry.fault, entry.cost_usd) == (status, fault, 0)


@pytest.mark.parametrize("vendor", MODELS)
@pytest.mark.parametrize("fault", REFUSED)
async def test_a_refusal_is_openais_class(gpt, sim, fault, vendor):
    _, (kind, status, code), waits = REFUSED[fault]
    sim.set_faults({"fault": fault, "retry_after": WAIT_S})
    for call in (chat_stream, chat_whole):
        error = await raised(call(gpt, vendor))
        # xAI tells a code and a string: the client finds neither type nor code in that.
        assert (type(error), error.status_code, error.code) == (kind, status, None if vendor == "xai" else code)
        assert error.request_id == sim.ledger.calls[-1].request_id
        told = [error.response.headers.get(name) for name in ("retry-after", "retry-after-ms")]
        assert told == ([str(WAIT_S), str(1000 * WAIT_S)] if waits else [None, None])


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("enforced_spend_limit_reached", a.EnforcedSpendLimitReachedError),
        ("contract_spend_limit_reached", a.ContractSpendLimitReachedError),
    ],
)
async def test_each_spend_code_of_anthropic_has_its_class(claude, sim, code, kind):
    sim.set_faults({"fault": "quota", "code": code, "retry_after": WAIT_S})
    error = await raised(claude_whole(claude))
    assert (type(error), error.error_code) == (kind, code)
    assert "retry-after" not in error.response.headers


@pytest.mark.parametrize(
    "code",
    [
        "credit_balance_exhausted",
        "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
    ],
)
async def test_each_quota_code_of_openai_is_told(gpt, sim, code):
    sim.set_faults({"fault": "quota", "code": code, "retry_after": WAIT_S})
    error = await raised(chat_whole(gpt, "openai"))
    assert (type(error), error.type, error.code) == (o.RateLimitError, "insufficient_quota", code)
    assert "retry-after" not in error.response.headers


@pytest.mark.parametrize("fault", BROKEN)
async def test_a_broken_connection_or_event_is_anthropics_class(claude, sim, fault):
    sim.set_faults({"fault": fault, "seconds": 20})
    for call, kind in zip((claude_stream, claude_whole), BROKEN[fault], strict=False):
        assert type(await raised(call(claude, patience(fault)))) is kind


@pytest.mark.parametrize("vendor", MODELS)
@pytest.mark.parametrize("fault", BROKEN)
async def test_a_broken_connection_or_event_is_openais_class(gpt, sim, fault, vendor):
    sim.set_faults({"fault": fault, "seconds": 20})
    for call, kind in zip((chat_stream, chat_whole), BROKEN[fault][2:], strict=True):
        error = await raised(call(gpt, vendor, patience(fault)))
        assert isinstance(error, kind) if fault == "refuse_connection" else type(error) is kind


async def test_a_clean_early_end_of_a_stream_is_told_by_neither_client(claude, gpt, sim):
    sim.set_faults({"fault": "eof"})
    assert "message_stop" not in [event.type for event in await claude_stream(claude)]
    async with claude.messages.stream(**CLAUDE) as stream:
        message = await stream.get_final_message()
    assert (message.stop_reason, bool(message.content[0].text)) == (None, True)
    for vendor in MODELS:
        assert all(chunk.choices[0].finish_reason is None for chunk in await chat_stream(gpt, vendor))
        assert type(await raised(chat_whole(gpt, vendor))) is json.JSONDecodeError
    assert type(await raised(claude_whole(claude))) is json.JSONDecodeError
    assert not any(call.complete for call in sim.ledger.calls)


async def test_an_error_inside_a_stream_has_status_200_or_none(claude, gpt, sim):
    sim.set_faults({"fault": "error_event"})
    error = await raised(claude_stream(claude))
    assert (type(error), error.status_code, error.type) == (a.APIStatusError, 200, "overloaded_error")
    for vendor in MODELS:
        error = await raised(chat_stream(gpt, vendor))
        assert type(error) is o.APIError
        assert not hasattr(error, "status_code")


async def test_an_error_body_with_status_200_looks_like_an_answer_without_content(claude, gpt, sim):
    sim.set_faults({"fault": "error_event"})
    assert (await claude_whole(claude)).content is None
    for vendor in MODELS:
        assert (await chat_whole(gpt, vendor)).choices is None


async def test_a_body_that_is_no_stream_has_no_events(claude, gpt, sim):
    sim.set_faults({"fault": "not_a_stream"})
    assert await claude_stream(claude) == []
    assert isinstance(await claude_whole(claude), str)
    for vendor in MODELS:
        assert await chat_stream(gpt, vendor) == []
        assert isinstance(await chat_whole(gpt, vendor), str)


@pytest.mark.parametrize(
    ("fault", "claude_reason", "reason", "text"),
    [
        ("empty", "end_turn", "stop", ""),
        ("refusal", "refusal", "content_filter", "I can't help with that."),
        ("max_tokens", "max_tokens", "length", None),
        ("defect", "end_turn", "stop", None),
    ],
)
async def test_a_bad_answer_is_an_answer_to_both_clients(claude, gpt, sim, fault, claude_reason, reason, text):
    sim.set_faults({"fault": fault})
    message = await claude_whole(claude)
    async with claude.messages.stream(**CLAUDE) as stream:
        streamed = await stream.get_final_message()
    assert message.stop_reason == streamed.stop_reason == claude_reason
    assert text is None or "".join(block.text for block in message.content) == text
    for vendor in MODELS:
        completion, chunks = await chat_whole(gpt, vendor), await chat_stream(gpt, vendor)
        assert completion.choices[0].finish_reason == chunks[-2].choices[0].finish_reason == reason
        assert text is None or (completion.choices[0].message.content or "") == text


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
@pytest.mark.parametrize("fault", FIGURES)
async def test_wrong_figures_reach_the_caller_as_they_are(claude, gpt, sim, fault):
    sim.set_faults({"fault": fault})
    usages = [(await claude_whole(claude)).usage, (await claude_stream(claude))[-2].usage]
    entry = sim.ledger.calls[-1]
    for usage in usages:
        if fault == "no_usage":
            assert usage is None
        else:
            assert usage.output_tokens == FIGURES[fault](entry.output_tokens)
            assert usage.input_tokens == FIGURES[fault](entry.input_tokens)
    assert entry.complete
    for vendor in MODELS:
        usages = [(await chat_whole(gpt, vendor)).usage, (await chat_stream(gpt, vendor))[-1].usage]
        entry = sim.ledger.calls[-1]
        for usage in usages:
            assert (usage and usage.prompt_tokens) == FIGURES[fault](entry.input_tokens)


async def test_an_outage_refuses_connections_and_ends(gpt, claude, sim):
    sim.set_faults({"fault": "outage", "seconds": 0.8, "when": {"first": 1}})
    assert isinstance(await raised(chat_whole(gpt, "openai")), o.APIConnectionError)
    error = await raised(claude_whole(claude))
    assert type(error) is a.APIConnectionError
    assert isinstance(error.__cause__, httpx2.ConnectError)
    async with httpx2.AsyncClient() as probe:
        while True:
            try:
                await probe.get(f"{sim.base_url}/_sim/limits")
                break
            except httpx2.ConnectError:
                await asyncio.sleep(0.02)
    assert (await claude_whole(claude)).stop_reason == "end_turn"
    assert [call.fault for call in sim.ledger.calls] == ["outage", None]
