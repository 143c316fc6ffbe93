"""The pace of models, comparable across answers and tiers."""

from __future__ import annotations

import math
from typing import NamedTuple

from ai3ray.domain.plan import Tier
from ai3ray.telemetry.decay import ChangeDetector, DecayClock, DecayingSum

USUAL_TOKENS = 600
"""Output of a usual answer: about 450 English words."""
_USUAL_FIRST_S = 0.5
_USUAL_TOKENS_PER_S = 60.0
_TIER: dict[Tier, float] = {"small": -1.4, "standard": 0.0, "frontier": 0.9}
"""Expected pace before the first call, in doublings of the usual seconds."""
_PRIOR_CALLS = 0.5
"""Calls that this expectation counts for."""
_SPREAD = 0.5
"""Standard deviation of one model's calls: 40 % slower or faster."""
_MAX_DEVIATIONS = 5.0
"""Most standard deviations of one call in detecting a change."""


def usual_seconds(output_tokens: int) -> float:
    """Return a usual model's seconds for an answer of this length."""
    return _USUAL_FIRST_S + output_tokens / _USUAL_TOKENS_PER_S


class PaceBelief(NamedTuple):
    """The belief about a model's pace."""

    doublings: float
    """log2(seconds / usual seconds): 0 is usual, 1 is twice as slow."""
    deviation: float


class Drift(DecayingSum):
    """All calls' deviation from their expected pace, in doublings."""

    def mean(self) -> float:
        """Return the mean deviation, closer to 0 with fewer calls."""
        total, weight = self.sums()
        return total / (weight + _PRIOR_CALLS)

    def unseen(self, tier: Tier) -> PaceBelief:
        """Return the pace of a model never called."""
        return PaceBelief(_TIER[tier] + self.mean(), _SPREAD / math.sqrt(_PRIOR_CALLS))


class ModelPace:
    """The pace of one model.

    Without recent calls it is expected to match its tier and drift as others do: a slow model gets another chance.
    """

    __slots__ = ("_drift", "_expected", "_seen")

    def __init__(self, decay_clock: DecayClock, drift: Drift, tier: Tier) -> None:
        self._drift = drift
        self._expected = _TIER[tier]
        self._seen = ChangeDetector(decay_clock, _variance, _MAX_DEVIATIONS)

    def observe(self, seconds: float, output_tokens: int, weight: float = 1.0) -> None:
        """Add a successful call, which may stand for several."""
        if seconds > 0:
            beyond = math.log2(seconds / usual_seconds(output_tokens)) - self._expected
            self._seen.observe(beyond, weight)
            self._drift.add(beyond, weight)

    def belief(self) -> PaceBelief:
        """Return the expected pace of the next call."""
        total, weight = self._seen.sums()
        calls = weight + _PRIOR_CALLS
        beyond = (total + self._drift.mean() * _PRIOR_CALLS) / calls
        return PaceBelief(self._expected + beyond, _SPREAD / math.sqrt(calls))


def _variance(total: float, weight: float) -> float:  # noqa: ARG001 - the same for fast models and slow ones
    return _SPREAD * _SPREAD
