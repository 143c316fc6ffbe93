"""How each model stands: what has been learned of it, weighted, and how unsure that is."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ai3ray.domain.plan import Kind, Tier
from ai3ray.registry.cards import ModelCard
from ai3ray.router.filters import Field
from ai3ray.router.posterior import Belief, Posterior, beta
from ai3ray.router.weights import Weights
from ai3ray.telemetry.live import PRIOR_FAILURES, PRIOR_SUCCESSES, LiveBook
from ai3ray.telemetry.pace import USUAL_TOKENS, usual_seconds
from ai3ray.telemetry.pace import Belief as Pace

REFRESH = 64
"""Calls after which every standing is worked out anew; that of a model that was heard of, at once. Below as many calls
a second REFRESH_S comes first."""
REFRESH_S = 1.0
"""Seconds after which they are."""
REFRESH_ANSWERS_S = 10.0
"""Seconds after which what is believed of answers is worked out anew; a verdict has that done at once for all that it
tells of, and nothing else changes it but hours."""
PLACES = 5
"""Decimal places of scores and terms."""
_TERMS = ("quality", "tier", "success", "latency")
_RANK: dict[Tier, int] = {"small": 0, "standard": 1, "frontier": 2}
_TIER_FIT = {0: 1.0, 1: 0.6, 2: 0.2, -1: 0.3, -2: 0.0}
"""By how many tiers the model is above the one wanted: rather too strong than too weak."""
_FASTEST_S, _SLOWEST_S = 0.125, 128.0
"""Seconds of an ordinary answer at which the latency term is 1, and 0; each doubling between costs the same."""


class Standing:
    """One model, for one kind and tier of work: weighted terms that hold for many wishes.

    Args:
        quality: how good its answers are expected to be.
        tier: how near its tier is to the one wanted.
        success: how likely the call is to succeed.
        latency: how fast it is expected to be.
        deviation: standard deviation of what they really are.
    """

    __slots__ = ("_shown", "_terms", "deviation", "total")

    def __init__(self, quality: float, tier: float, success: float, latency: float, deviation: float) -> None:
        self._terms = (quality, tier, success, latency)
        self._shown: Mapping[str, float] | None = None
        self.total = quality + tier + success + latency
        """The four together."""
        self.deviation = deviation
        """Standard deviation of what they really are."""

    @property
    def shown(self) -> Mapping[str, float]:
        """The four by name, rounded."""
        if self._shown is None:
            self._shown = {name: round(term, PLACES) for name, term in zip(_TERMS, self._terms, strict=True)}
        return self._shown


class Standings:
    """The standing of every model, kept until there is news.

    Args:
        weights: of the score.
        live: success and latency of the models' calls.
        posterior: quality of their answers.
    """

    def __init__(self, weights: Weights, live: LiveBook, posterior: Posterior) -> None:
        self.weights = weights
        """Of the score."""
        self._posterior = posterior
        self._live = live
        self._known: dict[tuple[Kind, Tier], dict[str, Standing]] = {}
        self._worth: dict[tuple[Kind, str], Belief] = {}
        self._life: dict[str, tuple[Belief, Belief]] = {}
        self._beats = 0
        self._at = 0.0
        self._answers_at = 0.0

    def of(self, kind: Kind, tier: Tier, field: Field) -> list[Standing]:
        """How each model of the field stands for such work.

        Evidence fades from call to call: what is old is worked out anew.
        """
        pulse = self._live.pulse
        now = pulse.clock()
        if pulse.beats - self._beats >= REFRESH or now - self._at >= REFRESH_S:
            self._beats, self._at = pulse.beats, now
            self._known.clear()
            self._life.clear()
            if now - self._answers_at >= REFRESH_ANSWERS_S:
                self._answers_at = now
                self._worth.clear()
        known = self._known.get((kind, tier))
        if known is None:
            known = self._known[kind, tier] = {}
        for name in field.names:
            if name not in known:
                known[name] = self._work_out(kind, tier, field.offers[field.places[name]].card, name)
        return [known[name] for name in field.names]

    def forget_answers(self, kind: Kind, model: str) -> None:
        """An answer of this kind by this model was judged: that tells of both, and so of other models and kinds."""
        for (known_kind, _), known in self._known.items():
            if known_kind == kind:
                known.clear()
            known.pop(model, None)
        self._worth = {pair: worth for pair, worth in self._worth.items() if pair[0] != kind and pair[1] != model}

    def forget_calls(self, model: str) -> None:
        """There is news of this model's calls."""
        for known in self._known.values():
            known.pop(model, None)
        self._life.pop(model, None)

    def clear(self) -> None:
        """There is news of all models."""
        self._known.clear()
        self._worth.clear()
        self._life.clear()

    def _work_out(self, kind: Kind, tier: Tier, card: ModelCard, name: str) -> Standing:
        weights = self.weights
        good = self._worth.get((kind, name))
        if good is None:
            good = self._worth[kind, name] = self._posterior.belief(kind, card)
        life = self._life.get(name)
        if life is None:
            seen = self._live.get(name)
            sure = beta(*seen.outcomes()) if seen is not None else _UNSEEN
            life = self._life[name] = (sure, _speed(self._live.pace(name, card.tier)))
        sure, fast = life
        quality, success, latency = (
            weights.quality * good.mean,
            weights.success * sure.mean,
            weights.latency * fast.mean,
        )
        fit = weights.tier * _TIER_FIT[_RANK[card.tier] - _RANK[tier]]
        deviation = math.hypot(
            weights.quality * good.deviation, weights.success * sure.deviation, weights.latency * fast.deviation
        )
        return Standing(quality, fit, success, latency, deviation)


def _speed(pace: Pace) -> Belief:
    """The latency term of an ordinary answer: 1 at _FASTEST_S or below, 0 at _SLOWEST_S or above."""
    expected = 1.0 - (_USUAL_DOUBLINGS + pace.doublings) / _DOUBLINGS
    return Belief(min(max(expected, 0.0), 1.0), pace.deviation / _DOUBLINGS)


_DOUBLINGS = math.log2(_SLOWEST_S / _FASTEST_S)
_USUAL_DOUBLINGS = math.log2(usual_seconds(USUAL_TOKENS) / _FASTEST_S)
_UNSEEN = beta(PRIOR_SUCCESSES, PRIOR_FAILURES)
