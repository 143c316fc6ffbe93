"""Evidence that loses weight with everything that happens after it, and with time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple


class Memory(NamedTuple):
    """How fast evidence fades."""

    keep: float = 0.98
    """What one more event leaves of the weight of earlier evidence, above 0 and at most 1."""
    half_life_s: float = 600.0
    """Seconds in which evidence loses half its weight, whatever happens."""


class Pulse:
    """What evidence fades with: a count of events, and a clock.

    Args:
        clock: monotonic seconds.
        memory: how fast.
    """

    __slots__ = ("_per_beat", "_per_s", "beats", "clock")

    def __init__(self, clock: Callable[[], float], memory: Memory) -> None:
        self.clock = clock
        self.beats = 0
        """Events so far."""
        self._per_beat = -math.log(memory.keep)
        self._per_s = math.log(2.0) / memory.half_life_s

    def beat(self) -> None:
        """One more event."""
        self.beats += 1

    def left(self, beats: int, at: float) -> float:
        """What is left of the weight of evidence that stood at so many beats and that time, 0 to 1."""
        lost = (self.beats - beats) * self._per_beat + max(0.0, self.clock() - at) * self._per_s
        return math.exp(-lost)


class Fading:
    """A weighted sum of observations, each of which counts the less the older it is.

    Args:
        pulse: what it fades with; several sums may share one.
    """

    __slots__ = ("_at", "_beats", "_pulse", "_total", "_weight")

    def __init__(self, pulse: Pulse) -> None:
        self._pulse = pulse
        self._total = 0.0
        self._weight = 0.0
        self._beats = 0
        self._at = 0.0

    def add(self, value: float, weight: float = 1.0) -> None:
        """One more observation."""
        left = self._left()
        self.become(self._total * left + value * weight, self._weight * left + weight)

    def sums(self) -> tuple[float, float]:
        """The weighted sum of what was observed, and the weight, as both stand now."""
        left = self._left()
        return self._total * left, self._weight * left

    def scale(self, factor: float) -> None:
        """Let all evidence so far count for only so much of its weight."""
        total, weight = self.sums()
        self.become(total * factor, weight * factor)

    def become(self, total: float, weight: float) -> None:
        """Forget all evidence so far, and stand for this instead."""
        self._total, self._weight = total, weight
        self._beats, self._at = self._pulse.beats, self._pulse.clock()

    def _left(self) -> float:
        return self._pulse.left(self._beats, self._at) if self._weight else 1.0
