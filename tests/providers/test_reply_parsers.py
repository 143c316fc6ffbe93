"""What the vendors' answers mean, from their bytes."""

import json

import pytest

from ai3ray.errors import MalformedReply
from ai3ray.providers.anthropic import AnthropicReplyParser
from ai3ray.providers.openai import OpenAIReplyParser
from ai3ray.providers.reply_parser import ErrorInBody
from ai3ray.providers.sse import ServerSentEvent
from ai3ray.providers.usage import ReportedUsage


def anthropic(*events):
    parser = AnthropicReplyParser()
    pieces = [parser.read_event(ServerSentEvent(name, json.dumps({"type": name, **fields}))) for name, fields in events]
    return parser, pieces


def openai(*chunks):
    parser = OpenAIReplyParser()
    pieces = [
        parser.read_event(ServerSentEvent("", chunk if isinstance(chunk, str) else json.dumps(chunk)))
        for chunk in chunks
    ]
    return parser, pieces


def chunk(delta=None, finish=None, **fields):
    return {"choices": [{"index": 0, "delta": delta or {}, "finish_reason": finish}], **fields}


def test_anthropic_counts_are_cumulative_and_cached_input_is_input():
    usage = {"input_tokens": 5, "cache_read_input_tokens": 30, "cache_creation_input_tokens": 7, "output_tokens": 1}
    parser, _ = anthropic(
        ("message_start", {"message": {"model": "claude-x", "usage": usage}}),
        ("message_delta", {"delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 44, "input_tokens": None}}),
        ("message_stop", {}),
    )
    result = parser.result()
    assert result.usage == ReportedUsage(42, 30, 7, 44)
    assert result.model == "claude-x"


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "refusal"),
        ("tool_use", "other"),
        ("pause_turn", "other"),
        ("of_next_year", "other"),
        (None, "other"),
    ],
)
def test_anthropic_stop_reasons(reason, finish):
    parser, _ = anthropic(("message_delta", {"delta": {"stop_reason": reason}}), ("message_stop", {}))
    assert parser.result().finish == finish


def test_anthropic_thinking_is_a_sign_of_life_but_no_text():
    parser, pieces = anthropic(
        ("content_block_start", {"content_block": {"type": "thinking", "thinking": ""}}),
        ("content_block_delta", {"delta": {"type": "thinking_delta", "thinking": "hm"}}),
        ("ping", {}),
        ("content_block_start", {"content_block": {"type": "text", "text": ""}}),
        ("content_block_delta", {"delta": {"type": "text_delta", "text": "Yes"}}),
        ("an_event_of_next_year", {"delta": {"text": "no"}}),
        ("message_stop", {}),
    )
    assert pieces == [None, "", None, None, "Yes", None, None]
    assert parser.result().text == "Yes"


def test_anthropic_without_message_stop_is_not_complete():
    parser, _ = anthropic(("message_delta", {"delta": {"stop_reason": "end_turn"}}))
    assert parser.result() is None


@pytest.mark.parametrize("body", [{"content": None, "stop_reason": "end_turn"}, {"content": []}, {}])
def test_anthropic_bodies_that_are_no_answer(body):
    with pytest.raises(MalformedReply):
        AnthropicReplyParser().read_body(body)


@pytest.mark.parametrize(
    ("finish", "expected"),
    [("stop", "stop"), ("length", "length"), ("content_filter", "refusal"), ("tool_calls", "other")],
)
def test_openai_finish_reasons(finish, expected):
    parser, _ = openai(chunk({"content": "Hi"}), chunk(finish=finish), "[DONE]")
    assert parser.result().finish == expected


def test_openai_is_complete_only_with_reason_and_end_marker():
    assert openai(chunk({"content": "Hi"}), chunk(finish="stop"))[0].result() is None
    assert openai(chunk({"content": "Hi"}), "[DONE]")[0].result() is None
    assert openai(chunk({"content": "Hi"}), chunk(finish="stop"), "[DONE]")[0].result() is not None


def test_openai_reasoning_is_a_sign_of_life_but_no_text():
    _, pieces = openai(
        chunk({"role": "assistant", "content": ""}), chunk({"reasoning_content": "hm"}), chunk({"content": "A"})
    )
    assert pieces == [None, "", "A"]


def counts(read, written, total=None, cached=None, stored=None, reasoning=0):
    return {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": total,
        "prompt_tokens_details": {"cached_tokens": cached, "cache_write_tokens": stored},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }


@pytest.mark.parametrize(
    ("usage", "reported"),
    [
        (
            counts(10, 30, 40, reasoning=20),
            ReportedUsage(10, None, None, 30),
        ),  # OpenAI: reasoning is part of the completion
        (counts(10, 30, 60, reasoning=20), ReportedUsage(10, None, None, 50)),  # xAI: it comes on top
        (counts(10, 30, cached=4, stored=5), ReportedUsage(10, 4, 5, 30)),
        (counts(-1, 10**12), ReportedUsage()),
        (counts("10", 1.5), ReportedUsage()),
        (None, ReportedUsage()),
    ],
)
def test_openai_usage(usage, reported):
    parser, _ = openai(chunk({"content": "Hi"}), chunk(finish="stop"), {"choices": [], "usage": usage}, "[DONE]")
    assert parser.result().usage == reported


@pytest.mark.parametrize(
    ("ticks", "usd"),
    [
        (37_756_000, 0.0037756),
        (0, 0.0),
        (-5, None),
        (True, None),
        ("9", None),
        (None, None),
        (10**13 + 1, None),
        (10**400, None),
    ],
)
def test_a_bill_in_ticks(ticks, usd):
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "cost_in_usd_ticks": ticks}
    parser, _ = openai(chunk(finish="stop", usage=usage), "[DONE]")
    assert parser.result().cost_usd == (None if usd is None else pytest.approx(usd))


@pytest.mark.parametrize("body", [{"choices": []}, {"choices": [{"message": {"content": "x"}}]}, {"choices": "no"}, {}])
def test_openai_bodies_that_are_no_answer(body):
    with pytest.raises(MalformedReply):
        OpenAIReplyParser().read_body(body)


@pytest.mark.parametrize("make", [AnthropicReplyParser, OpenAIReplyParser])
@pytest.mark.parametrize("data", ["{", "[]", '"text"', "nothing"])
def test_an_event_that_is_no_json_object(make, data):
    with pytest.raises(MalformedReply):
        make().read_event(ServerSentEvent("message_start", data))


@pytest.mark.parametrize("make", [AnthropicReplyParser, OpenAIReplyParser])
def test_an_error_event_is_an_error(make):
    with pytest.raises(ErrorInBody):
        make().read_event(ServerSentEvent("error", '{"type": "error", "error": {"type": "overloaded_error"}}'))


@pytest.mark.parametrize("make", [AnthropicReplyParser, OpenAIReplyParser])
@pytest.mark.parametrize("strange", [None, 3, [], [3], {"a": 1}, "text"])
def test_strange_values_do_not_break_a_parser(make, strange):
    parser = make()
    for name in ("message_start", "content_block_delta", "message_delta", "chunk"):
        body = {
            "type": name,
            "message": strange,
            "delta": strange,
            "usage": strange,
            "choices": strange,
            "model": strange,
        }
        parser.read_event(ServerSentEvent(name, json.dumps(body)))
    parser.read_event(ServerSentEvent("", json.dumps({"choices": [{"delta": strange, "finish_reason": strange}]})))
