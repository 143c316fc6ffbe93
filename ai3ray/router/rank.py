"""The ranking of a request's candidates."""

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


class ScoredCandidates(NamedTuple):
    """A request's candidates, with their terms in columns."""

    candidates: CandidateSet
    answers: ScoreColumn
    """Terms `quality` and `tier`."""
    calls: ScoreColumn
    """Terms `success` and `latency`."""
    costs: Sequence[float]
    loads: Sequence[float]
    expected: Sequence[float]
    """Sums of all terms."""


class Ranking:
    """The outcome of one choice; its candidates are listed only on demand."""

    __slots__ = ("_reasons", "_scored", "_scores", "best")

    def __init__(self, scored: ScoredCandidates, scores: Sequence[float], reasons: Mapping[int, str]) -> None:
        self._scored = scored
        self._scores = scores
        self._reasons = reasons
        self.best = self._best()
        """None when no model can be called."""

    def candidates(self) -> tuple[Candidate, ...]:
        """Return all models, best first, excluded ones last."""
        scored, excluded, names = self._scored, self._reasons, self._scored.candidates.names
        shown = [scored.expected[n] if n in excluded else score for n, score in enumerate(self._scores)]
        order = sorted(range(len(shown)), key=lambda n: (n in excluded, -shown[n], names[n]))
        found = []
        for n in order:
            terms = {
                **scored.answers.parts[n].terms,
                **scored.calls.parts[n].terms,
                "cost": scored.costs[n],
                "load": scored.loads[n],
                "sampled": rounded(shown[n] - scored.expected[n]),
            }
            found.append(Candidate(names[n], rounded(shown[n]), terms, excluded.get(n)))
        return tuple(found)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle as an empty ranking, so that a runner's lease stays small."""
        return _empty_ranking, ()

    def _best(self) -> PricedModel | None:
        top = max(self._scores, default=_EXCLUDED)
        if top == _EXCLUDED:
            return None
        models = self._scored.candidates.priced_models
        if self._scores.count(top) == 1:
            return models[self._scores.index(top)]
        # By name, so that equal scores always give the same choice.
        equals = (model for model, score in zip(models, self._scores, strict=True) if score == top)
        return min(equals, key=lambda model: model.name)


def rank(
    request: LeaseRequest,
    candidates: CandidateSet,
    conditions: Conditions,
    score_cache: ScoreCache,
    draw: Callable[[int], Sequence[float]] | None = None,
) -> Ranking:
    """Rank a request's candidates.

    A score is the weighted sum of a model's terms plus a draw from its uncertainty: Thompson sampling with normal
    posteriors, of the sum because independent normal deviations add up to one. `draw` returns so many normal numbers
    around 0; without it nothing is explored.
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
    for position in reasons:
        scores[position] = _EXCLUDED
    return Ranking(ScoredCandidates(candidates, answers, calls, cheap, idle, expected), scores, reasons)


def _exclusions(request: LeaseRequest, candidates: CandidateSet, conditions: Conditions) -> dict[int, str]:
    mismatches, unavailable = candidates.mismatches, {**conditions.paused, **conditions.out}
    tight = request.input_tokens + request.max_output_tokens > candidates.narrowest
    if not mismatches and not unavailable and not tight:
        return {}
    reasons = (
        mismatches.get(priced.name)
        or unavailable.get(priced.provider)
        or unavailable.get(priced.name)
        or (tight and too_long(request, priced.card))
        for priced in candidates.priced_models
    )
    return {position: reason for position, reason in enumerate(reasons) if reason}


_NO_COLUMN = ScoreColumn((), (), ())
_NO_CANDIDATES = ScoredCandidates(CandidateSet.of((), {}), _NO_COLUMN, _NO_COLUMN, (), (), ())


def _empty_ranking() -> Ranking:
    return Ranking(_NO_CANDIDATES, (), {})
