"""Which models a call may not go to, each with its reason."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from ai3ray.router.wish import Conditions, Offer, Wish


class Field(NamedTuple):
    """The models for wishes of one form: what is the same for all of them is found out once."""

    offers: tuple[tuple[Offer, str | None], ...]
    """Each with the reason why it is no candidate, or None when its provider and the prompt's length decide."""
    narrowest: int
    """The smallest window among those, in tokens: a call that fits into it fits into all."""


def form(wish: Wish, today: date) -> tuple[object, ...]:
    """What of a wish decides its field: wishes of the same form have the same one."""
    return wish.models, wish.exclude, wish.structured, wish.plans, wish.budget_usd is None, today


def field(wish: Wish, offers: Iterable[Offer], today: date) -> Field:
    """Who may take a wish, whatever the moment is like."""
    sifted = tuple((offer, misfit(wish, offer, today)) for offer in offers)
    return Field(sifted, min((offer.card.context for offer, reason in sifted if reason is None), default=0))


def exclusion(wish: Wish, offer: Offer, conditions: Conditions) -> str | None:
    """Why this model is no candidate for this wish however long one waits; None when it is one."""
    return misfit(wish, offer, conditions.today) or too_long(wish, offer) or conditions.out.get(offer.provider)


def pause(offer: Offer, conditions: Conditions) -> str | None:
    """Why this model cannot be called at this moment; None when it can."""
    paused = conditions.paused
    return (paused.get(offer.provider) or paused.get(offer.name)) if paused else None


def misfit(wish: Wish, offer: Offer, today: date) -> str | None:
    """Why no wish of this form goes to this model: what the asker said, and what the card says against it."""
    if wish.models and offer.name not in wish.models:
        return "not among the models asked for"
    if wish.exclude and (offer.name in wish.exclude or offer.provider in wish.exclude):
        return "tried already"
    card = offer.card
    if card.retired_on is not None and card.retired_on <= today:
        return f"retired on {card.retired_on}"
    if wish.structured and not card.structured:
        return "no structured output"
    if wish.plans and not card.plans:
        return "cannot plan"
    if wish.budget_usd is not None and not offer.priced:
        return "unknown price under a budget"
    return None


def too_long(wish: Wish, offer: Offer) -> str | None:
    """Why prompt and answer do not fit into the model's window; None when they do."""
    card = offer.card
    if wish.input_tokens + min(wish.max_output_tokens, card.max_output) > card.context:
        return f"its window of {card.context} tokens is too small"
    return None
