"""A request's models in columns, and reasons against some."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from ai3ray.domain.lease import LeaseRequest
from ai3ray.registry.cards import ModelCard
from ai3ray.router.conditions import Conditions, PricedModel


@dataclass(frozen=True, slots=True, eq=False)
class CandidateSet:
    """The models for all requests with the same `cache_key`, in parallel columns.

    A set equals only itself, so it can key caches.
    """

    priced_models: tuple[PricedModel, ...]
    mismatches: Mapping[str, str]
    """By name, why a model suits no such request."""
    narrowest: int
    """Smallest context window of the others, in tokens."""
    names: tuple[str, ...]
    providers: tuple[str, ...]
    prices: tuple[tuple[float, float], ...]
    """US dollars per million tokens of input and output; 0 where unknown."""
    unpriced: tuple[int, ...]
    positions: Mapping[str, int]

    @classmethod
    def of(cls, priced_models: Iterable[PricedModel], mismatches: Mapping[str, str]) -> CandidateSet:
        """Build the columns."""
        priced_models = tuple(priced_models)
        suitable = (priced.card.context for priced in priced_models if priced.name not in mismatches)
        return cls(
            priced_models=priced_models,
            mismatches=mismatches,
            narrowest=min(suitable, default=0),
            names=tuple(priced.name for priced in priced_models),
            providers=tuple(priced.provider for priced in priced_models),
            prices=tuple((priced.input_usd, priced.output_usd) for priced in priced_models),
            unpriced=tuple(position for position, priced in enumerate(priced_models) if not priced.has_price),
            positions={priced.name: position for position, priced in enumerate(priced_models)},
        )


def cache_key(request: LeaseRequest, today: date) -> tuple[object, ...]:
    """Return all that `mismatch` reads of a request."""
    return request.models, request.exclude, request.structured, request.plans, request.budget_usd is None, today


def candidate_set(request: LeaseRequest, priced_models: Iterable[PricedModel], today: date) -> CandidateSet:
    """Build a request's candidates, whatever the conditions."""
    priced_models = tuple(priced_models)
    reasons = ((priced.name, mismatch(request, priced, today)) for priced in priced_models)
    return CandidateSet.of(priced_models, {name: reason for name, reason in reasons if reason is not None})


def exclusion(request: LeaseRequest, priced: PricedModel, conditions: Conditions) -> str | None:
    """Return why a model can never answer, or None."""
    reason = mismatch(request, priced, conditions.today) or too_long(request, priced.card)
    return reason or conditions.out.get(priced.provider)


def mismatch(request: LeaseRequest, priced: PricedModel, today: date) -> str | None:
    """Return why a model suits no request of the same `cache_key`, or None."""
    if request.models and priced.name not in request.models:
        return "not among the models asked for"
    if request.exclude and (priced.name in request.exclude or priced.provider in request.exclude):
        return "already tried"
    card = priced.card
    if card.retired_on is not None and card.retired_on <= today:
        return f"retired on {card.retired_on}"
    if request.structured and not card.structured:
        return "no structured output"
    if request.plans and not card.plans:
        return "cannot plan"
    if request.budget_usd is not None and not priced.has_price:
        return "unknown price under a budget"
    return None


def too_long(request: LeaseRequest, card: ModelCard) -> str | None:
    """Return why prompt and answer exceed the context window, or None."""
    if request.input_tokens + min(request.max_output_tokens, card.max_output) > card.context:
        return f"its context window of {card.context} tokens is too small"
    return None
