"""Priced models, and conditions of a choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from ai3ray.registry.cards import ModelCard
from ai3ray.registry.prices import Rates


class PricedModel(NamedTuple):
    """A model's card and list price."""

    card: ModelCard
    name: str
    """`provider/model`."""
    provider: str
    has_price: bool
    input_usd: float
    """US dollars per million tokens; 0 where unknown."""
    output_usd: float

    @classmethod
    def of(cls, card: ModelCard, rates: Rates | None = None) -> PricedModel:
        """Return a card at this list price."""
        price = (rates.input, rates.output) if rates is not None else (0.0, 0.0)
        return cls(card, card.name, card.provider, rates is not None, *price)


@dataclass(frozen=True)
class Conditions:
    """The conditions of a choice."""

    today: date
    """In UTC."""
    load: Mapping[str, float] = field(default_factory=dict)
    """Share of each provider's permits given out, 0 to 1."""
    in_flight: Mapping[str, int] = field(default_factory=dict)
    """By `provider/model`, without idle models."""
    out: Mapping[str, str] = field(default_factory=dict)
    """Providers not to call again, and why."""
    paused: Mapping[str, str] = field(default_factory=dict)
    """Providers and models not callable now, and why."""
