"""Which models a call may not go to, each with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from ai3ray.router.conditions import Conditions, Offer, Wish


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """The models for wishes of one form: what is the same for all of them is found out once.

    Every lease weighs all of them, so what that takes stands in columns, in one order. A field is equal to
    itself only: what else is worked out of it is remembered by it.
    """

    offers: tuple[Offer, ...]
    """The models."""
    misfits: Mapping[str, str]
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
    def of(cls, offers: Iterable[Offer], misfits: Mapping[str, str]) -> Field:
        """The field of these models."""
        offers = tuple(offers)
        return cls(
            offers=offers,
            misfits=misfits,
            narrowest=min((offer.card.context for offer in offers if offer.name not in misfits), default=0),
            names=tuple(offer.name for offer in offers),
            providers=tuple(offer.provider for offer in offers),
            prices=tuple((offer.input_usd, offer.output_usd) for offer in offers),
            unpriced=tuple(place for place, offer in enumerate(offers) if not offer.priced),
            places={offer.name: place for place, offer in enumerate(offers)},
        )


def form(wish: Wish, today: date) -> tuple[object, ...]:
    """What of a wish decides its field: wishes of the same form have the same one."""
    return wish.models, wish.exclude, wish.structured, wish.plans, wish.budget_usd is None, today


def field(wish: Wish, offers: Iterable[Offer], today: date) -> Field:
    """Who may take a wish, whatever the moment is like."""
    offers = tuple(offers)
    reasons = ((offer.name, misfit(wish, offer, today)) for offer in offers)
    return Field.of(offers, {name: reason for name, reason in reasons if reason is not None})


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
