"""Running sums over model calls, so that no event sums them all."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from ai3ray.domain.call import Attempt

_PER_USD = 10**15
_PLACES = 10
"""Of a sum in US dollars."""


class Tally(NamedTuple):
    """Sums over calls. Costs are integers, so the order of calls does not matter."""

    femtodollars: int = 0
    """Known costs, in units of 1e-15 US dollars."""
    unpriced: int = 0
    """Calls that used tokens and have no cost."""
    input_tokens: int = 0
    output_tokens: int = 0

    @classmethod
    def of(cls, calls: Iterable[Attempt]) -> Tally:
        """Return the sums over these calls."""
        tally = cls()
        for call in calls:
            tally = tally.with_call(call)
        return tally

    def with_call(self, call: Attempt, before: Attempt | None = None) -> Tally:
        """Return the sums with one more call, or with a call instead of its earlier version."""
        cost, unpriced = _cost(call)
        reads, writes = call.input_tokens, call.output_tokens
        if before is not None:
            old_cost, old_unpriced = _cost(before)
            cost, unpriced = cost - old_cost, unpriced - old_unpriced
            reads, writes = reads - before.input_tokens, writes - before.output_tokens
        return Tally(
            self.femtodollars + cost, self.unpriced + unpriced, self.input_tokens + reads, self.output_tokens + writes
        )

    @property
    def known_usd(self) -> float:
        """US dollars of the calls of known cost."""
        return round(self.femtodollars / _PER_USD, _PLACES)

    @property
    def usd(self) -> float | None:
        """US dollars of all calls; None when a cost is unknown."""
        return None if self.unpriced else self.known_usd


NO_CALLS = Tally()


def _cost(call: Attempt) -> tuple[int, int]:
    """Return the cost in femtodollars, and 1 if it is unknown though tokens were used."""
    cost = call.cost_usd
    if cost is not None and math.isfinite(cost):
        return round(cost * _PER_USD), 0
    return 0, int(bool(call.input_tokens or call.output_tokens))
