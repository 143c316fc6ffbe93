"""From a wish, the cards and the state of things to a ranked list of candidates."""

from __future__ import annotations

from collections.abc import Iterable

from ai3ray.domain.events import Candidate
from ai3ray.registry.cards import ModelCard
from ai3ray.router.filters import exclusion, pause
from ai3ray.router.score import score_terms
from ai3ray.router.weights import Weights
from ai3ray.router.wish import Conditions, Wish


def rank(wish: Wish, cards: Iterable[ModelCard], conditions: Conditions, weights: Weights) -> tuple[Candidate, ...]:
    """All models with their scores: the admissible ones first, best first, then the others with the reason.

    Models of one score stand in the order of their names, so the same question has the same answer.

    Args:
        wish: the call that is wanted.
        cards: the models of the configured providers.
        conditions: live figures, prices, load, and who is out or cannot be called at the moment.
        weights: how much each term counts.
    """
    candidates = [_candidate(wish, card, conditions, weights) for card in cards]
    candidates.sort(key=lambda one: (one.excluded is not None, -one.score, one.model))
    return tuple(candidates)


def _candidate(wish: Wish, card: ModelCard, conditions: Conditions, weights: Weights) -> Candidate:
    terms = score_terms(wish, card, conditions, weights)
    return Candidate(
        model=card.name,
        score=round(sum(terms.values()), 4),
        terms=terms,
        excluded=exclusion(wish, card, conditions) or pause(card, conditions),
    )
