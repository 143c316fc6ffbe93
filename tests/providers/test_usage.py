"""Counts that cannot be are not believed, and what is ours is marked."""

import pytest

from ai3ray.domain.call import Message, Prompt, Usage
from ai3ray.providers.usage import MAX_TOKENS, ReportedUsage, resolve_usage, token_count

PROMPT = Prompt(system="s" * 39, messages=(Message(role="user", text="u" * 40),))
TEXT = "t" * 41


def test_believable_counts_are_taken_as_they_are():
    assert resolve_usage(ReportedUsage(100, 60, 20, 7), PROMPT, TEXT) == Usage(
        input_tokens=100, cached_tokens=60, cache_write_tokens=20, output_tokens=7
    )


@pytest.mark.parametrize(
    ("reported", "expected"),
    [
        (ReportedUsage(), (20, 0, 11)),
        (ReportedUsage(0, 0, 0, 0), (20, 0, 11)),
        (ReportedUsage(100, None, None, None), (100, 0, 11)),
        (ReportedUsage(None, None, None, 7), (20, 0, 7)),
        (ReportedUsage(100, None, None, 0), (100, 0, 11)),
        (ReportedUsage(100, 101, None, 7), (100, 100, 7)),
    ],
)
def test_what_is_missing_or_cannot_be_is_estimated(reported, expected):
    usage = resolve_usage(reported, PROMPT, TEXT)
    assert usage.estimated
    assert (usage.input_tokens, usage.cached_tokens, usage.output_tokens) == expected


def test_an_empty_answer_may_have_no_output():
    assert resolve_usage(ReportedUsage(100, None, None, 0), PROMPT, "") == Usage(input_tokens=100)


@pytest.mark.parametrize("value", [-1, MAX_TOKENS + 1, 10**18, 1.5, "12", None, True, [], float("nan")])
def test_what_is_no_count(value):
    assert token_count(value) is None


def test_a_schema_is_input():
    asked = PROMPT.model_copy(update={"json_schema": {"type": "object"}})
    assert (
        resolve_usage(ReportedUsage(), asked, "").input_tokens > resolve_usage(ReportedUsage(), PROMPT, "").input_tokens
    )
