"""From a lease request, the models and the state of things to a ranked list of candidates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf, sqrt
from operator import add, mul
from typing import NamedTuple

from ai3ray.domain.events import Candidate
from ai3ray.domain.lease import LeaseRequest
from ai3ray.router.candidates import CandidateSet, too_long
from ai3ray.router.conditions import Conditions, PricedModel
from ai3ray.router.score import costs, loads, rounded
from ai3ray.router.score_cache import ScoreCache, ScoreColumn

_EXCLUDED = -inf
"""The score of a model that cannot be called."""


class ScoredCandidates(NamedTuple):
    """All models for one request at one moment, in columns: each lease weighs all of them."""

    candidates: CandidateSet
    """The models."""
    answers: ScoreColumn
    """How good each one's answers are."""
    calls: ScoreColumn
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

    __slots__ = ("_reasons", "_scored", "_scores", "best")

    def __init__(self, scored: ScoredCandidates, scores: Sequence[float], reasons: Mapping[int, str]) -> None:
        self._scored = scored
        self._scores = scores
        self._reasons = reasons
        self.best = self._best()
        """The model to call; None when none can be."""

    def candidates(self) -> tuple[Candidate, ...]:
        """All models with their terms: the admissible ones first, best first, then the others with the reason."""
        barred, names = self._reasons, self._scored.candidates.names
        shown = [self._scored.expected[n] if n in barred else score for n, score in enumerate(self._scores)]
        order = sorted(range(len(shown)), key=lambda n: (n in barred, -shown[n], names[n]))
        return tuple([_candidate(self._scored, n, shown[n], barred.get(n)) for n in order])

    def __reduce__(self) -> tuple[object, ...]:
        """A choice is shown where it was made: a lease that travels to a runner takes nothing of it along."""
        return _empty_ranking, ()

    def _best(self) -> PricedModel | None:
        top = max(self._scores, default=_EXCLUDED)
        if top == _EXCLUDED:
            return None
        priced_models = self._scored.candidates.priced_models
        if self._scores.count(top) == 1:
            return priced_models[self._scores.index(top)]
        # In the order of their names, so that the same question has the same answer.
        return min(
            (o for o, score in zip(priced_models, self._scores, strict=True) if score == top), key=lambda o: o.name
        )


def rank(
    request: LeaseRequest,
    candidates: CandidateSet,
    conditions: Conditions,
    score_cache: ScoreCache,
    draw: Callable[[int], Sequence[float]] | None = None,
) -> Ranking:
    """Weigh all models for a lease request.

    The score is the weighted sum of the terms, and for each model a draw from what is believed of it: the
    better one is taken mostly, one that little is known of, or nothing recent, now and then. That is Thompson
    sampling with normal posteriors, of the sum instead of each term by itself: independent normal
    deviations add up to one.

    Args:
        request: the call that is wanted.
        candidates: the models, sifted for requests of this form.
        conditions: load, and who is out or cannot be called at the moment.
        score_cache: what has been learned, and the weights.
        draw: gives so many normal numbers around 0; their spread is how boldly to explore. None are drawn when
            absent.
    """
    weights = score_cache.weights
    calls, answers = score_cache.calls(candidates), score_cache.answers(request.kind, request.tier, candidates)
    cheap = costs(candidates, request, weights.cost)
    idle = loads(candidates, conditions.load, conditions.in_flight, weights.load)
    expected = list(map(add, map(add, answers.totals, calls.totals), map(add, cheap, idle)))
    if draw is None:
        scores = expected.copy()
    else:
        deviations = map(sqrt, map(add, answers.variances, calls.variances))
        scores = list(map(add, expected, map(mul, draw(len(expected)), deviations)))
    reasons = _exclusions(request, candidates, conditions)
    for place in reasons:
        scores[place] = _EXCLUDED
    return Ranking(ScoredCandidates(candidates, answers, calls, cheap, idle, expected), scores, reasons)


def _exclusions(request: LeaseRequest, candidates: CandidateSet, conditions: Conditions) -> dict[int, str]:
    """Why some models cannot be called, by their places."""
    mismatches, shut = candidates.mismatches, {**conditions.paused, **conditions.out}
    tight = request.input_tokens + request.max_output_tokens > candidates.narrowest
    if not mismatches and not shut and not tight:
        return {}
    reasons = (
        mismatches.get(priced.name)
        or shut.get(priced.provider)
        or shut.get(priced.name)
        or (tight and too_long(request, priced.card))
        for priced in candidates.priced_models
    )
    return {place: reason for place, reason in enumerate(reasons) if reason}


def _candidate(scored: ScoredCandidates, place: int, total: float, excluded: str | None) -> Candidate:
    sampled = rounded(total - scored.expected[place])
    terms = {
        **scored.answers.parts[place].terms,
        **scored.calls.parts[place].terms,
        "cost": scored.costs[place],
        "load": scored.loads[place],
        "sampled": sampled,
    }
    return Candidate(scored.candidates.names[place], rounded(total), terms, excluded)


_NONE = ScoreColumn((), (), ())
_NO_CANDIDATES = ScoredCandidates(CandidateSet.of((), {}), _NONE, _NONE, (), (), ())


def _empty_ranking() -> Ranking:
    return Ranking(_NO_CANDIDATES, (), {})
