"""The terms of a score that hold for one wish at one moment; higher is better, 1 is the best."""

from __future__ import annotations

from collections.abc import Iterable

from ai3ray.router.weights import Weights
from ai3ray.router.wish import Conditions, Offer, Wish

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

    def weigh(self, offers: Iterable[Offer]) -> list[float]:
        """Cost and load of each, together; in one go, because every lease weighs all models."""
        load, in_flight, crowd, weight = self._load, self._in_flight, self._crowd, self._weight
        price, unknown, reads, writes = self._cost, self._unknown, self._reads, self._writes
        weighed = []
        for _, name, provider, priced, input_usd, output_usd in offers:
            busy = load.get(provider, 0.0)
            mine = in_flight.get(name)
            if mine and mine > busy * crowd:
                busy = mine / crowd
            cost = price / (_HALF_USD_PER_MTOK + reads * input_usd + writes * output_usd) if priced else unknown
            weighed.append(cost + weight * (1.0 - busy))
        return weighed

    def cost(self, offer: Offer) -> float:
        """How cheap it is, by the mean price of this call's tokens, input and output as they are expected."""
        if not offer.priced:
            return self._unknown
        mean = self._reads * offer.input_usd + self._writes * offer.output_usd
        return self._cost / (_HALF_USD_PER_MTOK + mean)

    def load(self, offer: Offer) -> float:
        """How idle it is: its provider's free permits, or what others have of the calls in flight if that is less.

        Where permits abound the second keeps a hundred calls that come at once from going to one model.
        """
        return self.weigh((offer,))[0] - self.cost(offer)
