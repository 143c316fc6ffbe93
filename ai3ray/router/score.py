"""The terms of a score that are not learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import repeat
from math import floor

from ai3ray.domain.lease import LeaseRequest
from ai3ray.router.candidates import CandidateSet

_STEPS = 100_000.0
"""Five decimal places of terms and scores."""
_HALF_USD_PER_MTOK = 4.0
"""Price at which the cost term is one half."""
_UNKNOWN_COST = -1.0
"""Below any known price's term: no draw makes a run's cost unknown."""
_OTHER_CALLS = 4
"""Calls in flight at which a model that has them all counts as half busy."""


def rounded(value: float) -> float:
    """Round to five decimal places, halves upwards, faster than `round`."""
    return floor(value * _STEPS + 0.5) / _STEPS


def costs(candidates: CandidateSet, request: LeaseRequest, weight: float) -> Sequence[float]:
    """Return how cheap each model is, by the mean price of the call's tokens.

    The share of input, an estimate, counts in whole percent.
    """
    tokens = request.input_tokens + request.max_output_tokens
    return _costs(candidates, round(100 * request.input_tokens / tokens) if tokens else 50, weight)


@lru_cache(maxsize=1024)
def _costs(candidates: CandidateSet, percent_read: int, weight: float) -> Sequence[float]:
    reads = percent_read / 100
    writes = 1.0 - reads
    full = weight * _HALF_USD_PER_MTOK
    found = [full / (_HALF_USD_PER_MTOK + reads * read + writes * write) for read, write in candidates.prices]
    for position in candidates.unpriced:
        found[position] = weight * _UNKNOWN_COST
    return [rounded(cost) for cost in found]


def loads(
    candidates: CandidateSet, busy: Mapping[str, float], in_flight: Mapping[str, int], weight: float
) -> Sequence[float]:
    """Return how idle each model is: its provider's free permits, or its share of the calls in flight if worse.

    Where permits abound, the second spreads simultaneous calls.
    """
    idle = {provider: rounded(weight * (1.0 - share)) for provider, share in busy.items()}
    found = list(map(idle.get, candidates.providers, repeat(weight)))
    positions, calls = candidates.positions, sum(in_flight.values()) + _OTHER_CALLS
    for name, own in in_flight.items():
        position = positions.get(name)
        if position is not None:
            others = weight * (1.0 - own / calls)
            if others < found[position]:
                found[position] = rounded(others)
    return found
