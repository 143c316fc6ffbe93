"""Classify a provider's error by code and type, then by message, and last by status.

Status alone misleads: an overload inside a stream has status 200, and an exhausted balance has 429.
"""

from __future__ import annotations

import re

from ai3ray.errors import (
    CallRefused,
    CallTimeout,
    ContextOverflow,
    KeyRefused,
    ModelGone,
    Overloaded,
    ProviderError,
    QuotaSpent,
    RateLimited,
    ServerFault,
)

ErrorClass = type[ProviderError]

BY_CODE: dict[str, ErrorClass] = {
    # money and quota: waiting does not help
    "billing_error": QuotaSpent,
    "billing_hard_limit_reached": QuotaSpent,
    "billing_not_active": QuotaSpent,
    "contract_spend_limit_reached": QuotaSpent,
    "credit_balance_exhausted": QuotaSpent,
    "enforced_spend_limit_reached": QuotaSpent,
    "insufficient_quota": QuotaSpent,
    "organization_spend_limit_exceeded": QuotaSpent,
    "organization_usage_limit_exceeded": QuotaSpent,
    "project_spend_limit_exceeded": QuotaSpent,
    # rate buckets and growth limits
    "ramp_limit_exceeded": RateLimited,
    "rate_limit_error": RateLimited,
    "rate_limit_exceeded": RateLimited,
    "slow_down": RateLimited,
    # capacity
    "overloaded_error": Overloaded,
    "server_is_overloaded": Overloaded,
    "service_unavailable": Overloaded,
    # faults inside
    "api_error": ServerFault,
    "conflict_error": ServerFault,
    "internal_server_error": ServerFault,
    "server_error": ServerFault,
    "timeout_error": ServerFault,
    # the key
    "authentication_error": KeyRefused,
    "invalid_api_key": KeyRefused,
    "permission_error": KeyRefused,
    # the model
    "model_not_found": ModelGone,
    "not_found_error": ModelGone,
    # the request
    "context_length_exceeded": ContextOverflow,
    "exceed_context_size_error": ContextOverflow,
    "invalid_request_error": CallRefused,
    "request_too_large": CallRefused,
}

BY_STATUS: dict[int, ErrorClass] = {
    401: KeyRefused,
    402: QuotaSpent,
    403: KeyRefused,
    404: ModelGone,
    408: CallTimeout,
    409: ServerFault,
    425: ServerFault,
    429: RateLimited,
    499: ServerFault,
    503: Overloaded,
    529: Overloaded,
}

# Meanings that some providers put only into the message, under a general code.
_BY_MESSAGE: tuple[tuple[str, ErrorClass], ...] = (
    (r"credit balance|used all available credits|spend(ing)? limit|specified api usage limits", QuotaSpent),
    (r"(incorrect|invalid) api key", KeyRefused),
    (r"prompt is too long|context (length|window|size|limit)|maximum (context|prompt) length", ContextOverflow),
    (r"overloaded|currently unavailable|at capacity", Overloaded),
    (r"model\b.{0,80}\b(does not exist|not found|not available)", ModelGone),
)
_GENERAL = frozenset({CallRefused, KeyRefused, RateLimited})
"""The codes of these classes are so general that the message may be more precise."""


def classify(status: int, code: str | None, kind: str | None, message: str) -> ErrorClass:
    """Return the class of a provider's error reply.

    Args:
        status: 200 for an error inside a stream.
        code: the most specific error code, if any.
        kind: the provider's error type.
        message: the provider's message.
    """
    if status == 503:  # `slow_down` was once a code of 503: no capacity, not our own rate
        return Overloaded
    found = BY_CODE.get(code or "") or BY_CODE.get(kind or "")
    if found in (None, CallRefused):
        found = BY_STATUS.get(status, found)
    if found in _GENERAL or found is None:
        words = f"{code} {message}"
        found = next((kind for pattern, kind in _BY_MESSAGE if re.search(pattern, words, re.IGNORECASE)), found)
    return found or (CallRefused if 300 <= status < 500 else ServerFault)
