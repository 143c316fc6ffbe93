"""The learned terms of every model's score, cached."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ai3ray.domain.plan import Kind, Tier
from ai3ray.router.candidates import CandidateSet
from ai3ray.router.conditions import PricedModel
from ai3ray.router.posterior import Posterior, QualityBelief, beta
from ai3ray.router.score import rounded
from ai3ray.router.weights import Weights
from ai3ray.telemetry.live_stats import PRIOR_FAILURES, PRIOR_SUCCESSES, LiveStats
from ai3ray.telemetry.pace import USUAL_TOKENS, usual_seconds

REFRESH = 64
"""Calls after which call terms are recomputed: evidence fades."""
REFRESH_S = 1.0
"""Seconds after which they are recomputed."""
REFRESH_ANSWERS_S = 10.0
"""Seconds after which answer terms are recomputed: without a verdict they change over hours."""
MAX_COLUMNS = 256
"""Cached columns, per kind and tier of work and order of models."""
_RANK: dict[Tier, int] = {"small": 0, "standard": 1, "frontier": 2}
_TIER_FIT = {0: 1.0, 1: 0.6, 2: 0.2, -1: 0.3, -2: 0.0}
"""By tiers above the requested one: too strong beats too weak."""
_FASTEST_S, _SLOWEST_S = 0.125, 128.0
"""Seconds of a usual answer with latency term 1 and 0; each doubling between costs the same."""
_DOUBLINGS = math.log2(_SLOWEST_S / _FASTEST_S)
_USUAL_DOUBLINGS = math.log2(usual_seconds(USUAL_TOKENS) / _FASTEST_S)
_UNSEEN = beta(PRIOR_SUCCESSES, PRIOR_FAILURES)


class ScorePart(NamedTuple):
    """Two weighted terms of a model's score."""

    terms: Mapping[str, float]
    total: float
    variance: float
    """Of the total."""


class ScoreColumn(NamedTuple):
    """The same two terms of all models, in a set's order."""

    parts: Sequence[ScorePart]
    totals: Sequence[float]
    variances: Sequence[float]

    @classmethod
    def of(cls, parts: Sequence[ScorePart]) -> ScoreColumn:
        """Return the parts' column."""
        return cls(parts, [part.total for part in parts], [part.variance for part in parts])

    def with_part(self, position: int, part: ScorePart) -> ScoreColumn:
        """Return a copy with another part; rankings keep the original."""
        parts, totals, variances = list(self.parts), list(self.totals), list(self.variances)
        parts[position] = part
        totals[position] = part.total
        variances[position] = part.variance
        return ScoreColumn(parts, totals, variances)


class ScoreCache:
    """The learned terms of all models.

    Quality and tier depend on kind and tier of work, and change with verdicts; success and latency depend on the model,
    and change with calls. Recomputing them for each lease halves the throughput (`bench_pool`, 21 models).
    """

    def __init__(self, weights: Weights, live: LiveStats, posterior: Posterior) -> None:
        self.weights = weights
        self._posterior = posterior
        self._live = live
        self._answers: dict[tuple[Kind, Tier, tuple[str, ...]], ScoreColumn] = {}
        self._calls: dict[tuple[str, ...], tuple[CandidateSet, ScoreColumn]] = {}
        self._beliefs: dict[tuple[Kind, str], QualityBelief] = {}
        self._ticks = 0
        self._at = 0.0
        self._answers_at = 0.0

    def answers(self, kind: Kind, tier: Tier, candidates: CandidateSet) -> ScoreColumn:
        """Return the terms `quality` and `tier`."""
        key = kind, tier, candidates.names
        known = self._answers.get(key)
        if known is None:
            self._limit_size(self._answers)
            parts = [self._answer_part(kind, tier, priced) for priced in candidates.priced_models]
            known = self._answers[key] = ScoreColumn.of(parts)
        return known

    def calls(self, candidates: CandidateSet) -> ScoreColumn:
        """Return the terms `success` and `latency`."""
        decay_clock = self._live.decay_clock
        now = decay_clock.clock()
        if decay_clock.ticks - self._ticks >= REFRESH or now - self._at >= REFRESH_S:
            self._ticks, self._at = decay_clock.ticks, now
            self._calls.clear()
            if now - self._answers_at >= REFRESH_ANSWERS_S:
                self._answers_at = now
                self._answers.clear()
                self._beliefs.clear()
        known = self._calls.get(candidates.names)
        if known is None:
            self._limit_size(self._calls)
            column = ScoreColumn.of([self._call_part(priced) for priced in candidates.priced_models])
            known = self._calls[candidates.names] = candidates, column
        return known[1]

    def answer_judged(self, kind: Kind, model: str) -> None:
        """Forget the beliefs about a verdict's kind or model."""
        self._answers.clear()
        self._beliefs = {pair: known for pair, known in self._beliefs.items() if pair[0] != kind and pair[1] != model}

    def call_ended(self, model: str) -> None:
        """Update a model's terms after a call."""
        part: ScorePart | None = None
        for names, (candidates, column) in self._calls.items():
            position = candidates.positions.get(model)
            if position is not None:
                part = part or self._call_part(candidates.priced_models[position])
                self._calls[names] = candidates, column.with_part(position, part)

    def clear(self) -> None:
        """Forget everything."""
        self._answers.clear()
        self._calls.clear()
        self._beliefs.clear()

    def _answer_part(self, kind: Kind, tier: Tier, priced: PricedModel) -> ScorePart:
        known = self._beliefs.get((kind, priced.name))
        if known is None:
            known = self._beliefs[kind, priced.name] = self._posterior.belief(kind, priced.card)
        weights = self.weights
        fit = rounded(weights.tier * _TIER_FIT[_RANK[priced.card.tier] - _RANK[tier]])
        quality = rounded(weights.quality * known.mean)
        return ScorePart({"quality": quality, "tier": fit}, quality + fit, (weights.quality * known.deviation) ** 2)

    def _call_part(self, priced: PricedModel) -> ScorePart:
        weights = self.weights
        seen = self._live.get(priced.name)
        sure = beta(*seen.outcomes()) if seen is not None else _UNSEEN
        # The latency term of a usual answer: 1 at _FASTEST_S or below, 0 at _SLOWEST_S or above.
        pace = self._live.pace(priced.name, priced.card.tier)
        fast = min(max(1.0 - (_USUAL_DOUBLINGS + pace.doublings) / _DOUBLINGS, 0.0), 1.0)
        success, latency = rounded(weights.success * sure.mean), rounded(weights.latency * fast)
        variance = (weights.success * sure.deviation) ** 2 + (weights.latency * (pace.deviation / _DOUBLINGS)) ** 2
        return ScorePart({"success": success, "latency": latency}, success + latency, variance)

    @staticmethod
    def _limit_size(columns: dict[Any, Any]) -> None:
        if len(columns) >= MAX_COLUMNS:
            columns.clear()
