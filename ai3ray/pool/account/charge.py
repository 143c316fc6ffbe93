"""What a call counts for under a provider's limits per minute: as estimated when it begins, and when it has ended.

Three ways of counting, each as its vendor's rate limit page tells it:

real      Anthropic. Uncached input, estimated and then corrected; output as it is written; the cap is free.
reserved  OpenAI. The larger of cap and estimated input, at once; never given back, also when the call fails.
paced     xAI. Input and output, as used; requests by the second, without bursts.
"""

from __future__ import annotations

from typing import NamedTuple

from ai3ray.domain.call import Usage
from ai3ray.domain.lease import LeaseRequest
from ai3ray.settings.model import Admission, ProviderSettings

USUAL_OUTPUT = 500.0
"""Tokens that an answer is taken to have before one was seen."""


class Charge(NamedTuple):
    """Tokens that one call takes out of the buckets; of requests it always takes one."""

    tokens: int
    """Out of the bucket of both directions."""
    input: int
    """Out of the bucket of input, which what is read from a cache does not touch."""
    output: int
    """Out of the bucket of output."""


def admission_of(name: str, provider: ProviderSettings) -> Admission:
    """How a provider counts: as its settings say, else as its vendor does.

    Args:
        name: the provider's name in the configuration.
        provider: its table.
    """
    if provider.admission is not None:
        return provider.admission
    if provider.wire == "openai":
        return "paced" if name == "xai" else "reserved"
    return "real"


def initial_charge(admission: Admission, request: LeaseRequest, cap: int, usual_output: float) -> Charge:
    """What a call counts for when it begins.

    Args:
        admission: how its provider counts.
        request: the call.
        cap: tokens that its answer may have.
        usual_output: tokens that answers have had lately.
    """
    output = min(cap, round(usual_output))
    tokens = max(cap, request.input_tokens) if admission == "reserved" else request.input_tokens + output
    return Charge(tokens, request.input_tokens, output)


def final_charge(admission: Admission, charge: Charge, usage: Usage | None) -> Charge:
    """What it counts for in the end.

    Args:
        admission: how its provider counts.
        charge: what it counted for when it began; still, where nothing is known.
        usage: what it really used.
    """
    if usage is None:
        return charge
    fresh = usage.input_tokens - usage.cached_tokens
    read = fresh if admission == "real" else usage.input_tokens
    tokens = charge.tokens if admission == "reserved" else read + usage.output_tokens
    return Charge(tokens, fresh, usage.output_tokens)
