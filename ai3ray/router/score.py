"""The terms of a score that hold for one request at one moment; higher is better, 1 is the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import repeat
from math import floor

from ai3ray.domain.lease import LeaseRequest
from ai3ray.router.candidates import CandidateSet

_STEPS = 100_000.0
"""Steps from 0 to 1 that terms and scores have: five decimal places."""
_HALF_USD_PER_MTOK = 4.0
"""Price at which the cost term is one half."""
_UNKNOWN_COST = -1.0
"""The cost term of an unknown price: beyond the dearest, so that no draw makes a run's cost unknown."""
_CROWD = 4
"""Calls in flight beside which a model that has them all counts as half busy."""


def rounded(value: float) -> float:
    """To five decimal places, halves upwards; `round` takes several times as long, and each decision has hundreds."""
    return floor(value * _STEPS + 0.5) / _STEPS


def costs(candidates: CandidateSet, request: LeaseRequest, weight: float) -> Sequence[float]:
    """How cheap each model is, by the mean price of this call's tokens, input and output as they are expected.

    Args:
        candidates: the models.
        request: the call; the share of its input is taken in whole percent, it is an estimate anyway.
        weight: how much the term counts.
    """
    tokens = request.input_tokens + request.max_output_tokens
    return _costs(candidates, round(100 * request.input_tokens / tokens) if tokens else 50, weight)


@lru_cache(maxsize=1024)
def _costs(candidates: CandidateSet, percent_read: int, weight: float) -> Sequence[float]:
    reads = percent_read / 100
    writes = 1.0 - reads
    full = weight * _HALF_USD_PER_MTOK
    found = [full / (_HALF_USD_PER_MTOK + reads * read + writes * write) for read, write in candidates.prices]
    for place in candidates.unpriced:
        found[place] = weight * _UNKNOWN_COST
    return [rounded(cost) for cost in found]


def loads(
    candidates: CandidateSet, busy: Mapping[str, float], in_flight: Mapping[str, int], weight: float
) -> Sequence[float]:
    """How idle each is: its provider's free permits, or what others have of the calls in flight if that is less.

    Where permits abound the second keeps a hundred calls that come at once from going to one model.

    Args:
        candidates: the models.
        busy: share of its permits that a provider has given out, 0 to 1.
        in_flight: calls by `provider/model`, of those that have any.
        weight: how much the term counts.
    """
    idle = {provider: rounded(weight * (1.0 - share)) for provider, share in busy.items()}
    found = list(map(idle.get, candidates.providers, repeat(weight)))
    places, crowd = candidates.positions, sum(in_flight.values()) + _CROWD
    for name, mine in in_flight.items():
        place = places.get(name)
        if place is not None:
            others = weight * (1.0 - mine / crowd)
            if others < found[place]:
                found[place] = rounded(others)
    return found
