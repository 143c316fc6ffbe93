"""How each model stands: what has been learned of it, weighted, and how unsure that is."""

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
from ai3ray.telemetry.pace import USUAL_TOKENS, PaceBelief, usual_seconds

REFRESH = 64
"""Calls after which what is believed of all models' calls is worked out anew; of a model that was heard of, at once.
Below as many calls a second REFRESH_S comes first."""
REFRESH_S = 1.0
"""Seconds after which it is."""
REFRESH_ANSWERS_S = 10.0
"""Seconds after which what is believed of answers is worked out anew; a verdict has that done at once for all that it
tells of, and nothing else changes it but hours."""
MOST_COLUMNS = 256
"""Columns that are remembered: one for each kind and tier of work, and order of the models."""
_RANK: dict[Tier, int] = {"small": 0, "standard": 1, "frontier": 2}
_TIER_FIT = {0: 1.0, 1: 0.6, 2: 0.2, -1: 0.3, -2: 0.0}
"""By how many tiers the model is above the one wanted: rather too strong than too weak."""
_FASTEST_S, _SLOWEST_S = 0.125, 128.0
"""Seconds of an ordinary answer at which the latency term is 1, and 0; each doubling between costs the same."""


class ScorePart(NamedTuple):
    """Two terms of one model's score, weighted, and how unsure they are."""

    terms: Mapping[str, float]
    """Both by name."""
    total: float
    """Both together."""
    variance: float
    """Of what they really are."""


class ScoreColumn(NamedTuple):
    """The same part of all models' scores, in the order of a candidates."""

    parts: Sequence[ScorePart]
    """Each model's."""
    totals: Sequence[float]
    """Their totals."""
    variances: Sequence[float]
    """Their variances."""

    @classmethod
    def of(cls, parts: Sequence[ScorePart]) -> ScoreColumn:
        """The column of these."""
        return cls(parts, [part.total for part in parts], [part.variance for part in parts])

    def with_part(self, place: int, part: ScorePart) -> ScoreColumn:
        """The same but for one model. Who has this column keeps it as it is."""
        parts, totals, variances = list(self.parts), list(self.totals), list(self.variances)
        parts[place] = part
        totals[place] = part.total
        variances[place] = part.variance
        return ScoreColumn(parts, totals, variances)


class ScoreCache:
    """How every model stands, kept until there is news.

    Quality and tier belong to a kind and tier of work, and change with verdicts; success and latency belong to
    a model, and change with every call.

    Args:
        weights: of the score.
        live: success and latency of the models' calls.
        posterior: quality of their answers.
    """

    def __init__(self, weights: Weights, live: LiveStats, posterior: Posterior) -> None:
        self.weights = weights
        """Of the score."""
        self._posterior = posterior
        self._live = live
        self._answers: dict[tuple[Kind, Tier, tuple[str, ...]], ScoreColumn] = {}
        self._calls: dict[tuple[str, ...], tuple[CandidateSet, ScoreColumn]] = {}
        self._beliefs: dict[tuple[Kind, str], QualityBelief] = {}
        self._ticks = 0
        self._at = 0.0
        self._answers_at = 0.0

    def answers(self, kind: Kind, tier: Tier, candidates: CandidateSet) -> ScoreColumn:
        """How good each model's answers are for such work: the terms `quality` and `tier`."""
        key = kind, tier, candidates.names
        known = self._answers.get(key)
        if known is None:
            self._limit_size(self._answers)
            parts = [self._answer_part(kind, tier, priced) for priced in candidates.priced_models]
            known = self._answers[key] = ScoreColumn.of(parts)
        return known

    def calls(self, candidates: CandidateSet) -> ScoreColumn:
        """How each model's calls go: the terms `success` and `latency`.

        Evidence fades from call to call: what is old is worked out anew.
        """
        self._refresh()
        known = self._calls.get(candidates.names)
        if known is None:
            self._limit_size(self._calls)
            known = self._calls[candidates.names] = (
                candidates,
                ScoreColumn.of([self._call_part(priced) for priced in candidates.priced_models]),
            )
        return known[1]

    def answer_judged(self, kind: Kind, model: str) -> None:
        """An answer of this kind by this model was judged: that tells of both, and so of other models and kinds."""
        self._answers.clear()
        self._beliefs = {pair: worth for pair, worth in self._beliefs.items() if pair[0] != kind and pair[1] != model}

    def call_ended(self, model: str) -> None:
        """A call of this model has ended."""
        part: ScorePart | None = None
        for names, (candidates, column) in self._calls.items():
            place = candidates.positions.get(model)
            if place is not None:
                part = part or self._call_part(candidates.priced_models[place])
                self._calls[names] = candidates, column.with_part(place, part)

    def clear(self) -> None:
        """There is news of all models."""
        self._answers.clear()
        self._calls.clear()
        self._beliefs.clear()

    def _refresh(self) -> None:
        decay_clock = self._live.decay_clock
        now = decay_clock.clock()
        if decay_clock.ticks - self._ticks < REFRESH and now - self._at < REFRESH_S:
            return
        self._ticks, self._at = decay_clock.ticks, now
        self._calls.clear()
        if now - self._answers_at >= REFRESH_ANSWERS_S:
            self._answers_at = now
            self._answers.clear()
            self._beliefs.clear()

    def _answer_part(self, kind: Kind, tier: Tier, priced: PricedModel) -> ScorePart:
        known = self._beliefs.get((kind, priced.name))
        if known is None:
            known = self._beliefs[kind, priced.name] = self._posterior.belief(kind, priced.card)
        weights = self.weights
        fit = _TIER_FIT[_RANK[priced.card.tier] - _RANK[tier]]
        quality, suits = rounded(weights.quality * known.mean), rounded(weights.tier * fit)
        return ScorePart({"quality": quality, "tier": suits}, quality + suits, (weights.quality * known.deviation) ** 2)

    def _call_part(self, priced: PricedModel) -> ScorePart:
        weights = self.weights
        seen = self._live.get(priced.name)
        sure = beta(*seen.outcomes()) if seen is not None else _UNSEEN
        fast = _latency_belief(self._live.pace(priced.name, priced.card.tier))
        success, latency = rounded(weights.success * sure.mean), rounded(weights.latency * fast.mean)
        variance = (weights.success * sure.deviation) ** 2 + (weights.latency * fast.deviation) ** 2
        return ScorePart({"success": success, "latency": latency}, success + latency, variance)

    @staticmethod
    def _limit_size(columns: dict[Any, Any]) -> None:
        if len(columns) >= MOST_COLUMNS:
            columns.clear()


def _latency_belief(pace: PaceBelief) -> QualityBelief:
    """The latency term of an ordinary answer: 1 at _FASTEST_S or below, 0 at _SLOWEST_S or above."""
    expected = 1.0 - (_USUAL_DOUBLINGS + pace.doublings) / _DOUBLINGS
    return QualityBelief(min(max(expected, 0.0), 1.0), pace.deviation / _DOUBLINGS)


_DOUBLINGS = math.log2(_SLOWEST_S / _FASTEST_S)
_USUAL_DOUBLINGS = math.log2(usual_seconds(USUAL_TOKENS) / _FASTEST_S)
_UNSEEN = beta(PRIOR_SUCCESSES, PRIOR_FAILURES)
