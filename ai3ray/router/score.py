"""The terms of a score that hold for one wish at one moment; higher is better, 1 is the best."""

from __future__ import annotations

from ai3ray.router.filters import Field
from ai3ray.router.weights import Weights
from ai3ray.router.wish import Conditions, Wish

_HALF_USD_PER_MTOK = 4.0
"""Price at which the cost term is one half."""
_UNKNOWN_COST = -1.0
"""The cost term of an unknown price: beyond the dearest, so that no draw makes a run's cost unknown."""
_CROWD = 4
"""Calls in flight beside which a model that has them all counts as half busy."""


class Scale:
    """Weighs cost and load of each model; wish and moment are the same for all of them.

    Args:
        wish: the call that is wanted.
        conditions: how things stand.
        weights: how much each term counts.
    """

    __slots__ = ("_cost", "_crowd", "_in_flight", "_load", "_reads", "_unknown", "_weight", "_writes")

    def __init__(self, wish: Wish, conditions: Conditions, weights: Weights) -> None:
        self._cost = weights.cost * _HALF_USD_PER_MTOK
        self._unknown = weights.cost * _UNKNOWN_COST
        self._weight = weights.load
        self._load = conditions.load
        self._in_flight = conditions.in_flight
        self._crowd = sum(conditions.in_flight.values()) + _CROWD
        tokens = wish.input_tokens + wish.max_output_tokens
        self._reads = wish.input_tokens / tokens if tokens else 0.5
        self._writes = 1.0 - self._reads

    def costs(self, field: Field) -> list[float]:
        """How cheap each model is, by the mean price of this call's tokens, input and output as they are expected."""
        full, reads, writes = self._cost, self._reads, self._writes
        costs = [full / (_HALF_USD_PER_MTOK + reads * read + writes * write) for read, write in field.prices]
        for place in field.unpriced:
            costs[place] = self._unknown
        return costs

    def loads(self, field: Field) -> list[float]:
        """How idle each is: its provider's free permits, or what others have of the calls in flight if that is less.

        Where permits abound the second keeps a hundred calls that come at once from going to one model.
        """
        weight, crowd = self._weight, self._crowd
        idle = {provider: weight * (1.0 - busy) for provider, busy in self._load.items()}
        loads = [idle.get(provider, weight) for provider in field.providers]
        for name, mine in self._in_flight.items():
            if (place := field.places.get(name)) is not None:
                loads[place] = min(loads[place], weight * (1.0 - mine / crowd))
        return loads
