"""Evidence that fades with events, time and detected changes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

MIN_WEIGHT = 5.0
"""Weight of observations before changes are sought."""
SLACK = 0.35
"""Standard deviations from the mean that do not add up."""
CHANGE_THRESHOLD = 11.0
"""In standard deviations; chance reaches it once in some two thousand observations."""


class DecayRate(NamedTuple):
    """The speed at which evidence fades."""

    keep: float = 0.98
    """Factor of earlier evidence's weight after an event, above 0, at most 1."""
    half_life_s: float = 600.0
    """Seconds in which evidence loses half its weight, even without events."""


class DecayClock:
    """Events and monotonic seconds, by which evidence fades."""

    __slots__ = ("_per_s", "_per_tick", "clock", "ticks")

    def __init__(self, clock: Callable[[], float], rate: DecayRate) -> None:
        self.clock = clock
        self.ticks = 0
        self._per_tick = -math.log(rate.keep)
        self._per_s = math.log(2.0) / rate.half_life_s

    def tick(self) -> None:
        """Count an event."""
        self.ticks += 1

    def left(self, ticks: int, at: float) -> float:
        """Return the weight left of earlier evidence, 0 to 1."""
        lost = (self.ticks - ticks) * self._per_tick + max(0.0, self.clock() - at) * self._per_s
        return math.exp(-lost)


class DecayingSum:
    """A weighted sum in which older observations count less."""

    __slots__ = ("_at", "_decay_clock", "_ticks", "_total", "_weight")

    def __init__(self, decay_clock: DecayClock) -> None:
        self._decay_clock = decay_clock
        self._total = 0.0
        self._weight = 0.0
        self._ticks = 0
        self._at = 0.0

    def add(self, value: float, weight: float = 1.0) -> None:
        """Add an observation."""
        left = self._left()
        self.reset(self._total * left + value * weight, self._weight * left + weight)

    def sums(self) -> tuple[float, float]:
        """Return weighted sum and weight, as of now."""
        left = self._left()
        return self._total * left, self._weight * left

    def limit(self, most: float) -> None:
        """Reduce all evidence to at most this weight."""
        total, weight = self.sums()
        if weight > most:
            self.reset(total * most / weight, most)

    def reset(self, total: float, weight: float) -> None:
        """Replace all evidence."""
        self._total, self._weight = total, weight
        self._ticks, self._at = self._decay_clock.ticks, self._decay_clock.clock()

    def _left(self) -> float:
        return self._decay_clock.left(self._ticks, self._at) if self._weight else 1.0


class ChangeDetector(DecayingSum):
    """A decaying sum that forgets observations before a detected change.

    Page's cumulative sums, one for rises and one for falls: distances beyond the mean so far, less SLACK, add up until
    the sum is back at 0. A large change shows after a few observations, a small one after dozens. `variance` returns an
    observation's variance, above 0, from sum and weight of the earlier ones; `max_deviations` caps an observation, in
    standard deviations.
    """

    __slots__ = ("_cumulative_sums", "_max_deviations", "_variance")

    def __init__(
        self, decay_clock: DecayClock, variance: Callable[[float, float], float], max_deviations: float
    ) -> None:
        super().__init__(decay_clock)
        self._variance = variance
        self._max_deviations = max_deviations
        self._cumulative_sums = (_CumulativeSum(1.0), _CumulativeSum(-1.0))

    def observe(self, value: float, weight: float = 1.0) -> bool:
        """Add an observation; return True for a change, which discards all before it."""
        total, before = self.sums()
        self.reset(total + value * weight, before + weight)
        if before < MIN_WEIGHT:
            return False
        beyond = (value - total / before) / math.sqrt(self._variance(total, before))
        beyond = min(max(beyond, -self._max_deviations), self._max_deviations)
        for cumulative_sum in self._cumulative_sums:
            if cumulative_sum.observe(beyond, value):
                self.reset(cumulative_sum.total, cumulative_sum.count)
                self._cumulative_sums = (_CumulativeSum(1.0), _CumulativeSum(-1.0))
                return True
        return False


class _CumulativeSum:
    __slots__ = ("_beyond", "_sign", "count", "total")

    def __init__(self, sign: float) -> None:
        self._sign = sign
        self._beyond = 0.0
        self.total = 0.0
        self.count = 0

    def observe(self, beyond: float, value: float) -> bool:
        """Add an observation, `beyond` in standard deviations; return True above CHANGE_THRESHOLD."""
        self._beyond += self._sign * beyond - SLACK
        if self._beyond <= 0.0:
            self._beyond, self.total, self.count = 0.0, 0.0, 0
            return False
        self.total += value
        self.count += 1
        return self._beyond > CHANGE_THRESHOLD
