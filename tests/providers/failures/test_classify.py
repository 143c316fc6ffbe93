"""Errors are classified by code, then type, then words, and by status last."""

import pytest

from ai3ray.errors import (
    CallRefused,
    CallTimeout,
    ContextOverflow,
    KeyRefused,
    ModelGone,
    Overloaded,
    QuotaSpent,
    RateLimited,
    ServerFault,
)
from ai3ray.providers.failures.classify import classify


@pytest.mark.parametrize(
    ("status", "code", "kind", "expected"),
    [
        # 429 is four different things
        (429, None, "rate_limit_error", RateLimited),
        (429, "ramp_limit_exceeded", "rate_limit_error", RateLimited),
        (429, "enforced_spend_limit_reached", "rate_limit_error", QuotaSpent),
        (429, "contract_spend_limit_reached", "rate_limit_error", QuotaSpent),
        (429, "rate_limit_exceeded", "requests", RateLimited),
        (429, "rate_limit_exceeded", "tokens", RateLimited),
        (429, "slow_down", "rate_limit_error", RateLimited),
        (429, "insufficient_quota", "insufficient_quota", QuotaSpent),
        (429, "credit_balance_exhausted", "insufficient_quota", QuotaSpent),
        (429, "organization_spend_limit_exceeded", "insufficient_quota", QuotaSpent),
        (429, "project_spend_limit_exceeded", "insufficient_quota", QuotaSpent),
        (429, "organization_usage_limit_exceeded", "insufficient_quota", QuotaSpent),
        (429, "a_code_of_next_year", "insufficient_quota", QuotaSpent),
        (429, None, None, RateLimited),
        # inside a stream the status says nothing
        (200, None, "overloaded_error", Overloaded),
        (200, None, "rate_limit_error", RateLimited),
        (200, None, "api_error", ServerFault),
        (200, "server_is_overloaded", "server_error", Overloaded),
        (200, "context_length_exceeded", "invalid_request_error", ContextOverflow),
        (200, None, "invalid_request_error", CallRefused),
        (200, None, None, ServerFault),
        # one general type, many meanings
        (400, None, "invalid_request_error", CallRefused),
        (401, "invalid_api_key", "invalid_request_error", KeyRefused),
        (404, "model_not_found", "invalid_request_error", ModelGone),
        (403, "model_not_found", "invalid_request_error", ModelGone),
        (400, "context_length_exceeded", "invalid_request_error", ContextOverflow),
        # status alone
        (400, None, None, CallRefused),
        (401, None, "authentication_error", KeyRefused),
        (402, None, "billing_error", QuotaSpent),
        (402, None, None, QuotaSpent),
        (403, None, "permission_error", KeyRefused),
        (404, None, "not_found_error", ModelGone),
        (408, None, None, CallTimeout),
        (413, None, "request_too_large", CallRefused),
        (422, None, None, CallRefused),
        (500, None, "api_error", ServerFault),
        (502, None, None, ServerFault),
        (504, None, "timeout_error", ServerFault),
        (503, "server_is_overloaded", "server_error", Overloaded),
        (503, "slow_down", None, Overloaded),
        (503, None, None, Overloaded),
        (529, None, "overloaded_error", Overloaded),
        (529, None, None, Overloaded),
        (599, None, None, ServerFault),
        (307, None, None, CallRefused),
    ],
)
def test_codes_types_and_status(status, code, kind, expected):
    assert classify(status, code, kind, "") is expected


@pytest.mark.parametrize(
    ("status", "kind", "message", "expected"),
    [
        (400, "invalid_request_error", "prompt is too long: 205001 tokens > 200000 maximum", ContextOverflow),
        (400, None, "This model's maximum prompt length is 131072 but the request contains 150000", ContextOverflow),
        (400, None, "request (9031 tokens) exceeds the available context size (2048 tokens)", ContextOverflow),
        (400, "invalid_request_error", "Your credit balance is too low to access the API", QuotaSpent),
        (400, "invalid_request_error", "You have reached your specified API usage limits", QuotaSpent),
        (403, None, "Your team has used all available credits or reached its monthly spending limit", QuotaSpent),
        (400, None, "Incorrect API key provided: xa***. You can obtain one at the console", KeyRefused),
        (403, None, "The model grok-9 does not exist or your team does not have access to it", ModelGone),
        (429, "rate_limit_error", "Number of requests has exceeded your rate limit. See usage limits.", RateLimited),
    ],
)
def test_words_decide_where_the_code_is_general(status, kind, message, expected):
    assert classify(status, None, kind, message) is expected


def test_a_precise_code_beats_the_words():
    assert classify(500, None, "api_error", "maximum context length service failed") is ServerFault
