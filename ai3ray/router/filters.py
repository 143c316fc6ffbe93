"""Which models a call may not go to, each with its reason."""

from __future__ import annotations

from ai3ray.registry.cards import ModelCard
from ai3ray.router.wish import Conditions, Wish


def exclusion(wish: Wish, card: ModelCard, conditions: Conditions) -> str | None:
    """Why this model is no candidate for this wish however long one waits; None when it is one."""
    if wish.models and card.name not in wish.models:
        return "not among the models asked for"
    if wish.exclude and (card.name in wish.exclude or card.provider in wish.exclude):
        return "tried already"
    return _unfit(wish, card, conditions) or conditions.out.get(card.provider)


def pause(card: ModelCard, conditions: Conditions) -> str | None:
    """Why this model cannot be called at this moment; None when it can."""
    paused = conditions.paused
    return (paused.get(card.provider) or paused.get(card.name)) if paused else None


def _unfit(wish: Wish, card: ModelCard, conditions: Conditions) -> str | None:
    """What the card says against it."""
    if card.retired_on is not None and card.retired_on <= conditions.today:
        return f"retired on {card.retired_on}"
    if wish.structured and not card.structured:
        return "no structured output"
    if wish.plans and not card.plans:
        return "cannot plan"
    if wish.input_tokens + min(wish.max_output_tokens, card.max_output) > card.context:
        return f"its window of {card.context} tokens is too small"
    if wish.budget_usd is not None and conditions.prices.get(card.name) is None:
        return "unknown price under a budget"
    return None
