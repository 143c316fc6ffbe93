"""The charge of a call against limits per minute.

Three ways of counting, from the vendors' pages on rate limits:

real      Anthropic. Uncached input, estimated, then corrected; output as it is written; the cap is free.
reserved  OpenAI. The larger of cap and estimated input, at once; never given back, even if the call fails.
paced     xAI. Input and output, as used; requests by the second, without bursts.
"""

from __future__ import annotations

from typing import NamedTuple

from ai3ray.domain.call import Usage
from ai3ray.domain.lease import LeaseRequest
from ai3ray.settings.model import Admission, ProviderSettings

USUAL_OUTPUT = 500.0
"""Tokens of an answer before any was seen."""


class Charge(NamedTuple):
    """Tokens that one call takes, besides one request."""

    tokens: int
    """Input and output together."""
    input: int
    """Uncached."""
    output: int


def admission_of(name: str, provider: ProviderSettings) -> Admission:
    """Return how a provider counts: as configured, else as its vendor."""
    if provider.admission is not None:
        return provider.admission
    if provider.wire == "openai":
        return "paced" if name == "xai" else "reserved"
    return "real"


def initial_charge(admission: Admission, request: LeaseRequest, cap: int, usual_output: float) -> Charge:
    """Return the first charge; `cap` and `usual_output` are output tokens."""
    output = min(cap, round(usual_output))
    tokens = max(cap, request.input_tokens) if admission == "reserved" else request.input_tokens + output
    return Charge(tokens, request.input_tokens, output)


def final_charge(admission: Admission, charge: Charge, usage: Usage | None) -> Charge:
    """Return the final charge; unchanged without a usage."""
    if usage is None:
        return charge
    fresh = usage.input_tokens - usage.cached_tokens
    read = fresh if admission == "real" else usage.input_tokens
    tokens = charge.tokens if admission == "reserved" else read + usage.output_tokens
    return Charge(tokens, fresh, usage.output_tokens)
