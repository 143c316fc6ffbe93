"""Evidence that loses weight with everything that happens after it, with time, and at once when things have changed."""

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

    def limit(self, most: float) -> None:
        """Let all evidence so far weigh no more than this."""
        total, weight = self.sums()
        if weight > most:
            self.become(total * most / weight, most)

    def become(self, total: float, weight: float) -> None:
        """Forget all evidence so far, and stand for this instead."""
        self._total, self._weight = total, weight
        self._beats, self._at = self._pulse.beats, self._pulse.clock()

    def _left(self) -> float:
        return self._pulse.left(self._beats, self._at) if self._weight else 1.0


class Alarm(NamedTuple):
    """When the latest observations are clearly unlike the earlier ones."""

    keep: float
    """What one more observation leaves of the weight of the latest ones: they are the last 1 / (1 - keep) or so."""
    enough: float
    """Observations on either side before they are compared."""
    clearly: float
    """Standard deviations between both means that are no chance any more."""


class Watched(Fading):
    """A fading sum that notices when what it observes has changed, and forgets what was before.

    Args:
        pulse: what it fades with.
        alarm: when it has changed.
        variance: of one observation, from sum and weight of the earlier ones.
    """

    __slots__ = ("_alarm", "_latest", "_turns", "_variance")

    def __init__(self, pulse: Pulse, alarm: Alarm, variance: Callable[[float, float], float]) -> None:
        super().__init__(pulse)
        self._alarm = alarm
        self._variance = variance
        self._turns = Pulse(pulse.clock, Memory(alarm.keep, math.inf))
        self._latest = Fading(self._turns)

    def watch(self, value: float, weight: float = 1.0) -> bool:
        """One more observation. Returns whether there was a change; then only the latest ones count on."""
        self._turns.beat()
        self._latest.add(value, weight)
        self.add(value, weight)
        latest, few = self._latest.sums()
        total, many = self.sums()
        before = many - few
        if few < self._alarm.enough or before < self._alarm.enough:
            return False
        deviation = math.sqrt(self._variance(total - latest, before) * (1.0 / few + 1.0 / before))
        if abs(latest / few - (total - latest) / before) < self._alarm.clearly * deviation:
            return False
        self.become(latest, few)
        return True
