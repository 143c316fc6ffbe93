"""From a wish, the models and the state of things to a ranked list of candidates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf, sqrt
from operator import add, mul
from typing import NamedTuple

from ai3ray.domain.events import Candidate
from ai3ray.router.candidates import Field, too_long
from ai3ray.router.conditions import Conditions, Offer, Wish
from ai3ray.router.score import costs, loads, rounded
from ai3ray.router.score_cache import Column, Standings

_NEVER = -inf
"""The score of a model that cannot be called."""


class Weighed(NamedTuple):
    """All models for one wish at one moment, in columns: each lease weighs all of them."""

    field: Field
    """The models."""
    answers: Column
    """How good each one's answers are."""
    calls: Column
    """How each one's calls go."""
    costs: Sequence[float]
    """Each one's cost term."""
    loads: Sequence[float]
    """Each one's load term."""
    expected: Sequence[float]
    """The sums of all that."""


class Ranking:
    """The outcome of one choice. What it shows is put together only when somebody looks.

    Args:
        weighed: the models and their terms.
        scores: what is expected of each and a draw; _NEVER for those that cannot be called.
        reasons: why those cannot, by their places.
    """

    __slots__ = ("_reasons", "_scores", "_weighed", "best")

    def __init__(self, weighed: Weighed, scores: Sequence[float], reasons: Mapping[int, str]) -> None:
        self._weighed = weighed
        self._scores = scores
        self._reasons = reasons
        self.best = self._best()
        """The model to call; None when none can be."""

    def candidates(self) -> tuple[Candidate, ...]:
        """All models with their terms: the admissible ones first, best first, then the others with the reason."""
        barred, names = self._reasons, self._weighed.field.names
        shown = [self._weighed.expected[n] if n in barred else score for n, score in enumerate(self._scores)]
        order = sorted(range(len(shown)), key=lambda n: (n in barred, -shown[n], names[n]))
        return tuple([_candidate(self._weighed, n, shown[n], barred.get(n)) for n in order])

    def __reduce__(self) -> tuple[object, ...]:
        """A choice is shown where it was made: a lease that travels to a runner takes nothing of it along."""
        return _shown_elsewhere, ()

    def _best(self) -> Offer | None:
        top = max(self._scores, default=_NEVER)
        if top == _NEVER:
            return None
        offers = self._weighed.field.offers
        if self._scores.count(top) == 1:
            return offers[self._scores.index(top)]
        # In the order of their names, so that the same question has the same answer.
        return min((o for o, score in zip(offers, self._scores, strict=True) if score == top), key=lambda o: o.name)


def rank(
    wish: Wish,
    field: Field,
    conditions: Conditions,
    standings: Standings,
    draw: Callable[[int], Sequence[float]] | None = None,
) -> Ranking:
    """Weigh all models for a wish.

    The score is the weighted sum of the terms, and for each model a draw from what is believed of it: the
    better one is taken mostly, one that little is known of, or nothing recent, now and then. That is Thompson
    sampling with normal posteriors, of the sum instead of each term by itself: independent normal
    deviations add up to one.

    Args:
        wish: the call that is wanted.
        field: the models, sifted for wishes of this form.
        conditions: load, and who is out or cannot be called at the moment.
        standings: what has been learned, and the weights.
        draw: gives so many normal numbers around 0; their spread is how boldly to explore. None are drawn when
            absent.
    """
    weights = standings.weights
    calls, answers = standings.calls(field), standings.answers(wish.kind, wish.tier, field)
    cheap = costs(field, wish, weights.cost)
    idle = loads(field, conditions.load, conditions.in_flight, weights.load)
    expected = list(map(add, map(add, answers.totals, calls.totals), map(add, cheap, idle)))
    if draw is None:
        scores = expected.copy()
    else:
        deviations = map(sqrt, map(add, answers.variances, calls.variances))
        scores = list(map(add, expected, map(mul, draw(len(expected)), deviations)))
    reasons = _barred(wish, field, conditions)
    for place in reasons:
        scores[place] = _NEVER
    return Ranking(Weighed(field, answers, calls, cheap, idle, expected), scores, reasons)


def _barred(wish: Wish, field: Field, conditions: Conditions) -> dict[int, str]:
    """Why some models cannot be called, by their places."""
    misfits, shut = field.misfits, {**conditions.paused, **conditions.out}
    tight = wish.input_tokens + wish.max_output_tokens > field.narrowest
    if not misfits and not shut and not tight:
        return {}
    reasons = (
        misfits.get(offer.name) or shut.get(offer.provider) or shut.get(offer.name) or (tight and too_long(wish, offer))
        for offer in field.offers
    )
    return {place: reason for place, reason in enumerate(reasons) if reason}


def _candidate(weighed: Weighed, place: int, total: float, excluded: str | None) -> Candidate:
    sampled = rounded(total - weighed.expected[place])
    terms = {
        **weighed.answers.parts[place].terms,
        **weighed.calls.parts[place].terms,
        "cost": weighed.costs[place],
        "load": weighed.loads[place],
        "sampled": sampled,
    }
    return Candidate(weighed.field.names[place], rounded(total), terms, excluded)


_NONE = Column((), (), ())
_NOBODY = Weighed(Field.of((), {}), _NONE, _NONE, (), (), ())


def _shown_elsewhere() -> Ranking:
    return Ranking(_NOBODY, (), {})
