"""What is believed of the quality of each model's answers, per kind of task: a posterior whose evidence fades."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from ai3ray.domain.plan import Kind
from ai3ray.registry.cards import ModelCard
from ai3ray.router.tuning import Evidence
from ai3ray.telemetry.decay import ChangeDetector, DecayClock, DecayingSum, DecayRate

UNKNOWN_QUALITY = 0.5
"""Where a card says nothing."""
_PRIOR_MARGIN = 0.02
"""A prior never claims to be surer than this of an answer's being good, or bad."""
_KIND_ANSWERS = 2.0
"""Answers of a kind after which half of what they tell of the kind's difficulty holds for every model."""
_MAX_DEVIATIONS = 2.5
"""Standard deviations that one answer counts for in noticing a change: two good ones in a hundred are none."""
_WEIGHT_AFTER_CHANGE = 2.0
"""Answers that evidence still counts for when a change has put it in doubt."""


class QualityBelief(NamedTuple):
    """What is believed of one figure between 0 and 1."""

    mean: float
    """The expected value."""
    deviation: float
    """Standard deviation: how unsure that is."""


def beta(good: float, bad: float) -> QualityBelief:
    """Mean and standard deviation of the Beta distribution with these parameters."""
    weight = good + bad
    mean = good / weight
    return QualityBelief(mean, math.sqrt(mean * (1.0 - mean) / (weight + 1.0)))


def reward(*, passed: bool, score: float) -> float:
    """What an answer was worth, 0 to 1: nothing when it was sent back, else what its check gave it.

    An answer that was repaired counts twice, once as nothing and once as what it became.
    """
    return score if passed else 0.0


class Posterior:
    """Beta posteriors of the reward per kind and model, discounted by answers of the kind and by time.

    A pair's prior is the quality on the model's card, moved by how hard the kind has proved, and by how the
    model's answers of all kinds differ from what was to be expected: what is good at seven kinds is not taken
    to be bad at the eighth.

    Evidence fades slowly. When a model's latest answers are clearly unlike its earlier ones, the earlier ones
    are forgotten at once, and most of what is known of its rivals: what was true before need not be now.

    Args:
        clock: monotonic seconds.
        evidence: how much the card counts for, and how fast evidence fades.
    """

    def __init__(self, clock: Callable[[], float], evidence: Evidence) -> None:
        self._clock = clock
        self._evidence = evidence
        self._memory = DecayRate(evidence.answers_kept, evidence.answers_half_life_s)
        self._decay_clocks: dict[Kind, DecayClock] = {}
        self._decay_clock = DecayClock(clock, self._memory)
        self._records: dict[tuple[Kind, str], ChangeDetector] = {}
        self._kind_surprise: dict[Kind, DecayingSum] = {}
        self._model_surprise: dict[str, DecayingSum] = {}

    def learn(self, kind: Kind, card: ModelCard, value: float, weight: float = 1.0) -> bool:
        """An answer was judged.

        Args:
            kind: the kind of its task.
            card: its author's.
            value: its reward, 0 to 1.
            weight: how many answers it stands for.

        Returns:
            whether its author has clearly changed, so that what is believed of other models has, too.
        """
        record = self._record(kind, card.name)
        self._decay_clocks[kind].tick()
        self._decay_clock.tick()
        surprise = value - card.quality.get(kind, UNKNOWN_QUALITY)
        model_surprise = self._model_surprise.setdefault(card.name, DecayingSum(self._decay_clock))
        model_surprise.add(surprise - _offset(self._kind_surprise[kind], _KIND_ANSWERS), weight)
        self._kind_surprise[kind].add(surprise, weight)
        if not record.observe(value, weight):
            return False
        self._discount_others(kind, card.name)
        return True

    def belief(self, kind: Kind, card: ModelCard) -> QualityBelief:
        """What the next answer of this kind by this model is expected to be worth."""
        prior, strength = self._prior(kind, card)
        record = self._records.get((kind, card.name))
        value, weight = record.sums() if record is not None else (0.0, 0.0)
        return beta(prior * strength + value, (1.0 - prior) * strength + weight - value)

    def _prior(self, kind: Kind, card: ModelCard) -> tuple[float, float]:
        """Mean and weight, in answers, of what is believed before an answer of this kind was seen."""
        told = card.quality.get(kind)
        evidence = self._evidence
        mean = (
            (UNKNOWN_QUALITY if told is None else told)
            + _offset(self._kind_surprise.get(kind), _KIND_ANSWERS)
            + _offset(self._model_surprise.get(card.name), evidence.other_kinds)
        )
        strength = evidence.unknown_answers if told is None else evidence.card_answers
        return min(max(mean, _PRIOR_MARGIN), 1.0 - _PRIOR_MARGIN), strength

    def _record(self, kind: Kind, model: str) -> ChangeDetector:
        if kind not in self._decay_clocks:
            self._decay_clocks[kind] = DecayClock(self._clock, self._memory)
            self._kind_surprise[kind] = DecayingSum(self._decay_clocks[kind])
        if (kind, model) not in self._records:
            self._records[kind, model] = ChangeDetector(self._decay_clocks[kind], _variance, _MAX_DEVIATIONS)
        return self._records[kind, model]

    def _discount_others(self, kind: Kind, model: str) -> None:
        """A model has changed at a kind of work: it may have at others, and its rivals may be the better ones now."""
        self._model_surprise[model].limit(_WEIGHT_AFTER_CHANGE)
        self._kind_surprise[kind].limit(_WEIGHT_AFTER_CHANGE)
        for (other_kind, other), record in self._records.items():
            if (other_kind == kind) != (other == model):
                record.limit(_WEIGHT_AFTER_CHANGE)


def _offset(surprise: DecayingSum | None, caution: float) -> float:
    """The mean surprise, nearer to 0 the less there is behind it."""
    if surprise is None:
        return 0.0
    total, weight = surprise.sums()
    return total / (weight + caution)


def _variance(total: float, weight: float) -> float:
    """The most that a figure between 0 and 1 can vary around this mean; never none, however alike all were so far."""
    mean = (min(max(total, 0.0), weight) + 1.0) / (weight + 2.0)
    return mean * (1.0 - mean)
