"""Refusals that faults cause, in the vendors' wording."""

from __future__ import annotations

from typing import NamedTuple

from ai3ray.simulator.fault_rules import FaultName, InjectedFault
from ai3ray.simulator.wires.parsed_request import ParsedRequest, Reason, RequestRefused


class _Refusing(NamedTuple):
    reason: Reason
    words: str
    may_wait: bool = False
    """Whether the refusal announces the rule's time to wait."""
    usual_wait_s: float | None = None


_REFUSING: dict[FaultName, _Refusing] = {
    "rate_limit": _Refusing("rate_limit", "Rate limit reached, slow down", may_wait=True, usual_wait_s=1.0),
    "rate_limit_no_wait": _Refusing("rate_limit", "Rate limit reached, slow down"),
    "ramp_limit": _Refusing("ramp", "Your use grows too fast: scale up gradually", may_wait=True, usual_wait_s=1.0),
    "quota": _Refusing("quota", "Your account has no credits left: spending limit reached"),
    "billing": _Refusing("billing", "There is an issue with your billing or payment information"),
    "auth": _Refusing("auth", "This key was revoked"),
    "forbidden": _Refusing("forbidden", "Your key does not have permission to use this resource"),
    "unknown_model": _Refusing("unknown_model", ""),
    "too_large": _Refusing("too_large", "Request exceeds the maximum size"),
    "context_overflow": _Refusing("too_long", ""),
    "server_error": _Refusing("server_error", "Internal server error", may_wait=True),
    "bad_gateway": _Refusing("bad_gateway", "Bad gateway", may_wait=True),
    "unavailable": _Refusing("unavailable", "The service is temporarily unavailable", may_wait=True),
    "timeout": _Refusing("timeout", "The request timed out", may_wait=True),
    "overloaded": _Refusing("overloaded", "Overloaded", may_wait=True),
}


def refusal_of(fault: InjectedFault, request: ParsedRequest) -> RequestRefused | None:
    """Return a fault's refusal; None when the fault concerns the answer."""
    refusing = _REFUSING.get(fault.fault)
    if refusing is None:
        return None
    words = refusing.words
    if fault.fault == "unknown_model":
        words = no_such_model(request)
    elif fault.fault == "context_overflow":
        words = too_long(request, max(1, request.input_tokens - 1))
    wait_s = refusing.usual_wait_s if fault.retry_after is None else fault.retry_after
    return RequestRefused(
        refusing.reason,
        words,
        status=fault.status,
        retry_after_s=wait_s if refusing.may_wait else None,
        code=fault.code,
        fault=fault.fault,
    )


def no_such_model(request: ParsedRequest) -> str:
    """Return the vendor's message about an unknown model."""
    if request.vendor == "anthropic":
        return f"model: {request.model}"
    return f"The model `{request.model}` does not exist or you do not have access to it."


def too_long(request: ParsedRequest, most: int) -> str:
    """Return the vendor's message about a prompt that exceeds the context window."""
    if request.vendor == "anthropic":
        return f"prompt is too long: {request.input_tokens} tokens > {most} maximum"
    return f"This model's maximum context length is {most} tokens, but the request has {request.input_tokens} tokens."
