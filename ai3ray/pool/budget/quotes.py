"""Quotes from list prices, estimated prompts and recent answers."""

from __future__ import annotations

from collections.abc import Mapping

from ai3ray.domain.call import Role, Usage
from ai3ray.domain.lease import LeaseRequest
from ai3ray.pool.budget.ledger import Quote
from ai3ray.registry.cards import ModelCard
from ai3ray.registry.prices import RateTable

USUAL_TOKENS: Mapping[Role, int] = {"plan": 800, "task": 600, "repair": 600, "judge": 80}
"""Output tokens of a call before any of its kind."""
KEEP = 0.8
"""Factor of earlier answers' weight after an answer."""
LEAST_INPUT, MOST_INPUT = 0.5, 2.0
"""Factors of possible error in estimates of four characters per token."""


class Quotes:
    """Quotes for calls, adjusted as calls end."""

    def __init__(self, prices: RateTable) -> None:
        self._prices = prices
        self._lengths: dict[tuple[str, Role], float] = {}

    def of(self, request: LeaseRequest, card: ModelCard) -> Quote | None:
        """Return a call's possible costs; None if the price is unknown."""
        cap = min(request.max_output_tokens, card.max_output)
        read = request.input_tokens
        usual = self._lengths.get((card.name, request.role), USUAL_TOKENS.get(request.role, read))
        least = self._cost(card, round(read * LEAST_INPUT), 1)
        expected = self._cost(card, read, min(cap, round(usual)))
        most = self.most(request, card)
        if least is None or expected is None or most is None:
            return None
        return Quote(least, expected, max(expected, most))

    def most(self, request: LeaseRequest, card: ModelCard) -> float | None:
        """Return a call's highest cost in US dollars; None if unknown."""
        cap = min(request.max_output_tokens, card.max_output)
        return self._cost(card, round(request.input_tokens * MOST_INPUT), cap)

    def learn(self, model: str, role: Role, usage: Usage) -> None:
        """Adjust the expected length of such answers."""
        if role not in USUAL_TOKENS:
            return
        seen = self._lengths.get((model, role))
        length = float(usage.output_tokens)
        self._lengths[model, role] = length if seen is None else seen * KEEP + length * (1 - KEEP)

    def _cost(self, card: ModelCard, input_tokens: int, output_tokens: int) -> float | None:
        return self._prices.uncached_cost(card.provider, card.id, input_tokens, output_tokens)
