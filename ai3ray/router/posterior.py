"""Model quality per kind of task, as a fading posterior."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from ai3ray.domain.plan import Kind
from ai3ray.registry.cards import ModelCard
from ai3ray.router.tuning import Evidence
from ai3ray.telemetry.decay import ChangeDetector, DecayClock, DecayingSum, DecayRate

UNKNOWN_QUALITY = 0.5
"""Prior where a card has none."""
_PRIOR_MARGIN = 0.02
"""Least distance of a prior from 0 and 1."""
_KIND_ANSWERS = 2.0
"""Answers after which half of a kind's surprise counts for every model."""
_MAX_DEVIATIONS = 2.5
"""Most standard deviations of one answer in detecting a change."""
_WEIGHT_AFTER_CHANGE = 2.0
"""Answers that evidence counts for after a change puts it in doubt."""


class QualityBelief(NamedTuple):
    """Mean and standard deviation of a figure, 0 to 1."""

    mean: float
    deviation: float


def beta(good: float, bad: float) -> QualityBelief:
    """Return mean and standard deviation of a Beta distribution."""
    weight = good + bad
    mean = good / weight
    return QualityBelief(mean, math.sqrt(mean * (1.0 - mean) / (weight + 1.0)))


def reward(*, passed: bool, score: float) -> float:
    """Return an answer's worth, 0 to 1: its score, or 0 if rejected.

    A repaired answer counts twice: with 0 and with its repair's score.
    """
    return score if passed else 0.0


class Posterior:
    """Beta posteriors of the reward per kind and model, fading with the kind's answers and time.

    A pair's prior is the card's quality, shifted by the mean surprise of the kind (its difficulty) and of the model.
    When a model has clearly changed, its earlier answers are forgotten, and most evidence about its rivals.
    """

    def __init__(self, clock: Callable[[], float], evidence: Evidence) -> None:
        self._clock = clock
        self._evidence = evidence
        self._decay_rate = DecayRate(evidence.answers_kept, evidence.answers_half_life_s)
        self._decay_clocks: dict[Kind, DecayClock] = {}
        self._decay_clock = DecayClock(clock, self._decay_rate)
        self._records: dict[tuple[Kind, str], ChangeDetector] = {}
        self._kind_surprise: dict[Kind, DecayingSum] = {}
        self._model_surprise: dict[str, DecayingSum] = {}

    def learn(self, kind: Kind, card: ModelCard, value: float, weight: float = 1.0) -> bool:
        """Learn from a reward, 0 to 1; return True if the model has clearly changed, and other beliefs with it."""
        if kind not in self._decay_clocks:
            self._decay_clocks[kind] = DecayClock(self._clock, self._decay_rate)
            self._kind_surprise[kind] = DecayingSum(self._decay_clocks[kind])
        record = self._records.get((kind, card.name))
        if record is None:
            record = ChangeDetector(self._decay_clocks[kind], _variance, _MAX_DEVIATIONS)
            self._records[kind, card.name] = record
        self._decay_clocks[kind].tick()
        self._decay_clock.tick()
        surprise = value - card.quality.get(kind, UNKNOWN_QUALITY)
        of_model = self._model_surprise.setdefault(card.name, DecayingSum(self._decay_clock))
        of_model.add(surprise - _offset(self._kind_surprise[kind], _KIND_ANSWERS), weight)
        self._kind_surprise[kind].add(surprise, weight)
        if not record.observe(value, weight):
            return False
        # The model may have changed at other kinds too, and its rivals may now be better.
        of_model.limit(_WEIGHT_AFTER_CHANGE)
        self._kind_surprise[kind].limit(_WEIGHT_AFTER_CHANGE)
        for (other_kind, other), other_record in self._records.items():
            if (other_kind == kind) != (other == card.name):
                other_record.limit(_WEIGHT_AFTER_CHANGE)
        return True

    def belief(self, kind: Kind, card: ModelCard) -> QualityBelief:
        """Return the expected reward of the model's next answer."""
        on_card = card.quality.get(kind)
        evidence = self._evidence
        strength = evidence.unknown_answers if on_card is None else evidence.card_answers
        prior = (
            (UNKNOWN_QUALITY if on_card is None else on_card)
            + _offset(self._kind_surprise.get(kind), _KIND_ANSWERS)
            + _offset(self._model_surprise.get(card.name), evidence.other_kinds)
        )
        prior = min(max(prior, _PRIOR_MARGIN), 1.0 - _PRIOR_MARGIN)
        record = self._records.get((kind, card.name))
        value, weight = record.sums() if record is not None else (0.0, 0.0)
        return beta(prior * strength + value, (1.0 - prior) * strength + weight - value)


def _offset(surprise: DecayingSum | None, caution: float) -> float:
    if surprise is None:
        return 0.0
    total, weight = surprise.sums()
    return total / (weight + caution)


def _variance(total: float, weight: float) -> float:
    """Return the largest variance of figures in 0 to 1 with this mean; never 0."""
    mean = (min(max(total, 0.0), weight) + 1.0) / (weight + 2.0)
    return mean * (1.0 - mean)
