"""What the router has to know: of the call that is wanted, of the models, and of the moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from ai3ray.registry.cards import ModelCard
from ai3ray.registry.prices import Rates


class PricedModel(NamedTuple):
    """A model that might take a call, with what every choice needs of it at hand."""

    card: ModelCard
    """What it can do."""
    name: str
    """`provider/model`."""
    provider: str
    """Its provider."""
    has_price: bool
    """Whether its price is known."""
    input_usd: float
    """US dollars per million tokens of input; 0 where it is not known."""
    output_usd: float
    """The same of output."""

    @classmethod
    def of(cls, card: ModelCard, rates: Rates | None = None) -> PricedModel:
        """The offer of this model at this list price."""
        price = (rates.input, rates.output) if rates is not None else (0.0, 0.0)
        return cls(card, card.name, card.provider, rates is not None, *price)


@dataclass(frozen=True)
class Conditions:
    """How things stand when the choice is made."""

    today: date
    """Tells which models are retired."""
    load: Mapping[str, float] = field(default_factory=dict)
    """Share of its permits that a provider has given out, 0 to 1."""
    in_flight: Mapping[str, int] = field(default_factory=dict)
    """Calls in flight by `provider/model`; none where it is not named."""
    out: Mapping[str, str] = field(default_factory=dict)
    """Providers that are not called any more, and why."""
    paused: Mapping[str, str] = field(default_factory=dict)
    """Providers, or single models, that cannot be called at this moment, and why."""
