"""The terms of a score that hold for one wish at one moment; each lies between 0 and 1, higher is better."""

from __future__ import annotations

from collections.abc import Iterable

from ai3ray.router.weights import Weights
from ai3ray.router.wish import Conditions, Offer, Wish

_HALF_USD_PER_MTOK = 4.0
"""Price at which the cost term is one half."""
_CROWD = 4
"""Calls in flight beside which a model that has them all counts as half busy."""


class Scale:
    """Weighs cost and load of each model; wish and moment are the same for all of them.

    Args:
        wish: the call that is wanted.
        conditions: how things stand.
        weights: how much each term counts.
    """

    __slots__ = ("_cost", "_crowd", "_in_flight", "_load", "_reads", "_weight", "_writes")

    def __init__(self, wish: Wish, conditions: Conditions, weights: Weights) -> None:
        self._cost = weights.cost * _HALF_USD_PER_MTOK
        self._weight = weights.load
        self._load = conditions.load
        self._in_flight = conditions.in_flight
        self._crowd = sum(conditions.in_flight.values()) + _CROWD
        tokens = wish.input_tokens + wish.max_output_tokens
        self._reads = wish.input_tokens / tokens if tokens else 0.5
        self._writes = 1.0 - self._reads

    def weigh(self, offers: Iterable[Offer]) -> list[float]:
        """Both together, for each of these models."""
        load, in_flight, crowd, weight = self._load, self._in_flight, self._crowd, self._weight
        cost, reads, writes = self._cost, self._reads, self._writes
        weighed = []
        for offer in offers:
            busy = load.get(offer.provider, 0.0)
            mine = in_flight.get(offer.name, 0) / crowd
            if mine > busy:
                busy = mine
            mean = reads * offer.input_usd + writes * offer.output_usd
            weighed.append(cost / (_HALF_USD_PER_MTOK + mean) + weight * (1.0 - busy))
        return weighed

    def cost(self, offer: Offer) -> float:
        """How cheap it is, by the mean price of this call's tokens, input and output as they are expected."""
        mean = self._reads * offer.input_usd + self._writes * offer.output_usd
        return self._cost / (_HALF_USD_PER_MTOK + mean)

    def load(self, offer: Offer) -> float:
        """How idle it is: its provider's free permits, or what others have of the calls in flight if that is less.

        Where permits abound the second keeps a hundred calls that come at once from going to one model.
        """
        return self.weigh((offer,))[0] - self.cost(offer)
