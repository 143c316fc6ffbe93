"""From a wish, the models and the state of things to a ranked list of candidates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import repeat
from operator import itemgetter

from ai3ray.domain.events import Candidate
from ai3ray.router.filters import Field, too_long
from ai3ray.router.score import Scale
from ai3ray.router.standing import Standing, Standings
from ai3ray.router.wish import Conditions, Offer, Wish

PLACES = 5
"""Decimal places of scores and terms."""

Scored = tuple[float, Offer, Standing]
"""Score, model and how it stands: a plain tuple, because each lease weighs all models."""

_score = itemgetter(0)


class Ranking:
    """The outcome of one choice. What it shows is put together only when somebody looks.

    Args:
        scored: the models that can be called.
        barred: the others, each with the reason; their scores are what would be expected of them.
        scale: weighs cost and load.
    """

    __slots__ = ("_barred", "_scale", "_scored", "best")

    def __init__(self, scored: list[Scored], barred: list[tuple[Scored, str]], scale: Scale | None) -> None:
        self._scored = scored
        self._barred = barred
        self._scale = scale
        top = max(scored, key=_score)[0] if scored else 0.0
        self.best = min([row for row in scored if row[0] == top], key=_order, default=(top, None))[1]
        """The model to call; None when none can be."""

    def candidates(self) -> tuple[Candidate, ...]:
        """All models with their terms: the admissible ones first, best first, then the others with the reason."""
        if self._scale is None:
            return ()
        ranked = [(row, None) for row in sorted(self._scored, key=_order)]
        barred = sorted(self._barred, key=lambda row: _order(row[0]))
        return tuple(_candidate(row, self._scale, reason) for row, reason in (*ranked, *barred))

    def __reduce__(self) -> tuple[object, ...]:
        """A choice is shown where it was made: a lease that travels to a runner takes nothing of it along."""
        return Ranking, ([], [], None)


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
    scale = Scale(wish, conditions, standings.weights)
    kind, tier = wish.kind, wish.tier
    known = standings.known(kind, tier)
    shut = {**conditions.paused, **conditions.out}
    tight = wish.input_tokens + wish.max_output_tokens > field.narrowest
    scored: list[Scored] = []
    barred: list[tuple[Scored, str]] = []
    draws = draw(len(field.offers)) if draw is not None else repeat(0.0)
    weighed = scale.weigh([offer for offer, _ in field.offers])
    for (offer, misfit), other, drawn in zip(field.offers, weighed, draws, strict=False):
        standing = known.get(offer.name) or standings.add(known, kind, tier, offer)
        total = standing.total + other
        reason = misfit or (shut and (shut.get(offer.provider) or shut.get(offer.name)))
        if not reason and tight:
            reason = too_long(wish, offer)
        if reason:
            barred.append(((total, offer, standing), reason))
        else:
            scored.append((total + drawn * standing.deviation, offer, standing))
    return Ranking(scored, barred, scale)


def _order(row: Scored) -> tuple[float, str]:
    """Best first; models of one score in the order of their names, so the same question has the same answer."""
    return -row[0], row[1].name


def _candidate(row: Scored, scale: Scale, excluded: str | None) -> Candidate:
    total, offer, standing = row
    score = round(total, PLACES)
    terms = {
        "quality": round(standing.quality, PLACES),
        "tier": round(standing.tier, PLACES),
        "success": round(standing.success, PLACES),
        "latency": round(standing.latency, PLACES),
        "cost": round(scale.cost(offer), PLACES),
        "load": round(scale.load(offer), PLACES),
    }
    # What rounding left over goes with the draw, so that the terms shown add up to the score shown.
    terms["sampled"] = round(score - sum(terms.values()), PLACES)
    return Candidate(model=offer.name, score=score, terms=terms, excluded=excluded)
