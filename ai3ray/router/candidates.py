"""Which models a call may not go to, each with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from ai3ray.domain.lease import LeaseRequest
from ai3ray.router.conditions import Conditions, PricedModel


@dataclass(frozen=True, slots=True, eq=False)
class CandidateSet:
    """The models for requests of one form: what is the same for all of them is found out once.

    Every lease weighs all of them, so what that takes stands in columns, in one order. A field is equal to
    itself only: what else is worked out of it is remembered by it.
    """

    priced_models: tuple[PricedModel, ...]
    """The models."""
    mismatches: Mapping[str, str]
    """Why some are no candidates, by name; of the others their provider and the prompt's length decide."""
    narrowest: int
    """The smallest window of the others, in tokens: a call that fits into it fits into all."""
    names: tuple[str, ...]
    """Each one's `provider/model`."""
    providers: tuple[str, ...]
    """Each one's provider."""
    prices: tuple[tuple[float, float], ...]
    """Each one's US dollars per million tokens of input and of output; 0 where they are not known."""
    unpriced: tuple[int, ...]
    """The places of those whose price is not known."""
    places: Mapping[str, int]
    """Each one's place, by name."""

    @classmethod
    def of(cls, priced_models: Iterable[PricedModel], mismatches: Mapping[str, str]) -> CandidateSet:
        """The field of these models."""
        priced_models = tuple(priced_models)
        return cls(
            priced_models=priced_models,
            mismatches=mismatches,
            narrowest=min(
                (priced.card.context for priced in priced_models if priced.name not in mismatches),
                default=0,
            ),
            names=tuple(priced.name for priced in priced_models),
            providers=tuple(priced.provider for priced in priced_models),
            prices=tuple((priced.input_usd, priced.output_usd) for priced in priced_models),
            unpriced=tuple(place for place, priced in enumerate(priced_models) if not priced.has_price),
            places={priced.name: place for place, priced in enumerate(priced_models)},
        )


def cache_key(request: LeaseRequest, today: date) -> tuple[object, ...]:
    """What of a lease request decides its field: requests of the same form have the same one."""
    return request.models, request.exclude, request.structured, request.plans, request.budget_usd is None, today


def candidate_set(request: LeaseRequest, priced_models: Iterable[PricedModel], today: date) -> CandidateSet:
    """Who may take a lease request, whatever the moment is like."""
    priced_models = tuple(priced_models)
    reasons = ((priced.name, mismatch(request, priced, today)) for priced in priced_models)
    return CandidateSet.of(priced_models, {name: reason for name, reason in reasons if reason is not None})


def exclusion(request: LeaseRequest, priced: PricedModel, conditions: Conditions) -> str | None:
    """Why this model is no candidate for this request however long one waits; None when it is one."""
    return (
        mismatch(request, priced, conditions.today) or too_long(request, priced) or conditions.out.get(priced.provider)
    )


def pause(priced: PricedModel, conditions: Conditions) -> str | None:
    """Why this model cannot be called at this moment; None when it can."""
    paused = conditions.paused
    return (paused.get(priced.provider) or paused.get(priced.name)) if paused else None


def mismatch(request: LeaseRequest, priced: PricedModel, today: date) -> str | None:
    """Why no request of this form goes to this model: what the asker said, and what the card says against it."""
    if request.models and priced.name not in request.models:
        return "not among the models asked for"
    if request.exclude and (priced.name in request.exclude or priced.provider in request.exclude):
        return "tried already"
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


def too_long(request: LeaseRequest, priced: PricedModel) -> str | None:
    """Why prompt and answer do not fit into the model's window; None when they do."""
    card = priced.card
    if request.input_tokens + min(request.max_output_tokens, card.max_output) > card.context:
        return f"its window of {card.context} tokens is too small"
    return None
