"""What a provider allows per minute, and what is left of it: by the settings, or as its replies tell."""

from __future__ import annotations

from collections import deque
from math import inf
from typing import Protocol

from ai3ray.domain.call import RateWindow

MINUTE_S = 60.0
BURST_S = 0.5
"""Seconds' worth of a configured rate that may be used at once: vendors may enforce a minute's limit by the second."""
RESERVE = 0.1
"""Share of a provider's own bucket that is left in it: what a reply tells is a little old, and others use it too."""
SLACK_S = 0.01
"""By how much a second is stretched where bursts are refused: calls do not arrive as evenly as they are sent."""
UNEVEN_S = 0.25
"""Seconds' worth of the rate that is left in a provider's bucket at least, for the same reason."""
_FADE = 0.98
_TOLERANCE = 1e-9


class RateMeter(Protocol):
    """One limit per minute."""

    unit: str
    """What it counts, for messages."""

    def ready_at(self, now: float) -> float:
        """When the next call may be let through; not after `now` when it may be now."""
        ...

    def use(self, amount: float, now: float) -> None:
        """Take out what is used, or give back, when negative, what was not. It may go into debt."""
        ...

    def told(self, window: RateWindow, caution: float, now: float) -> None:
        """A reply told the limit, or what is left of it; the more caution, from 1 on, the more is left alone."""
        ...

    def change(self, per_minute: float, now: float) -> None:
        """Another rate from now on."""
        ...


class TokenBucket:
    """A token bucket that may go into debt: what a call uses is known only after it was let through.

    Args:
        per_minute: the rate it fills at.
        unit: what it holds, for messages.
        burst_s: seconds' worth of the rate that it holds.
    """

    def __init__(self, per_minute: float, unit: str, burst_s: float = BURST_S) -> None:
        self.unit = unit
        self._burst_s = burst_s
        self._reserve = 0.0
        self._usual = 1.0
        self._at = 0.0
        self._level = inf
        self._shape(per_minute)

    def ready_at(self, now: float) -> float:
        """See Meter."""
        self._fill(now)
        missing = 1.0 - self._level
        return now + missing / self._per_s if missing > _TOLERANCE else now

    def use(self, amount: float, now: float) -> None:
        """See Meter."""
        self._fill(now)
        self._usual = max(amount, self._usual * _FADE)
        self._level = min(self._capacity, self._level - amount)

    def told(self, window: RateWindow, caution: float, now: float) -> None:
        """See Meter. Of the provider's bucket a reserve is left, and enough for one more call such as those before."""
        self._fill(now)
        if window.limit:
            held = self._held(window)
            uneven = min(caution * UNEVEN_S * window.limit / MINUTE_S, held / 2.0)
            self._reserve = max(0.0, min(max(RESERVE * held, uneven, self._usual - 1.0), held - 1.0))
            self._shape(window.limit, held)
        if window.remaining is not None:
            self._level = min(self._level, window.remaining - self._reserve)

    def change(self, per_minute: float, now: float) -> None:
        """See Meter."""
        self._fill(now)
        self._shape(per_minute)

    def _shape(self, per_minute: float, held: float | None = None) -> None:
        self._per_s = per_minute / MINUTE_S
        self._capacity = max(1.0, (self._per_s * self._burst_s if held is None else held) - self._reserve)
        self._level = min(self._capacity, self._level)

    def _held(self, window: RateWindow) -> float:
        """What the provider's bucket holds when it is full: less than the limit where bursts are refused."""
        limit = float(window.limit or 1)
        if window.remaining is None or window.reset_s is None:
            return limit
        return max(1.0, min(limit, window.remaining + window.reset_s * limit / MINUTE_S))

    def _fill(self, now: float) -> None:
        if now > self._at:
            self._level = min(self._capacity, self._level + (now - self._at) * self._per_s)
            self._at = now


class RequestPacer:
    """Requests by about a second, without bursts: as many as fit one whole, in the time that is their share.

    Args:
        per_minute: requests; 90 are one in every two thirds of a second, 148 two in every 0.81 s.
        unit: what it counts, for messages.
    """

    def __init__(self, per_minute: float, unit: str) -> None:
        self.unit = unit
        self._used: deque[float] = deque()
        self._shape(per_minute)

    def ready_at(self, now: float) -> float:
        """See Meter."""
        return self._used[-self._most] + self._length_s if len(self._used) >= self._most else now

    def use(self, amount: float, now: float) -> None:
        """See Meter. A request that was sent is never given back."""
        if amount > 0:
            self._used.append(now)
            while len(self._used) > self._most:
                self._used.popleft()

    def told(self, window: RateWindow, caution: float, now: float) -> None:
        """See Meter. What was left of the second in which the reply was written is of no use any more."""
        del now
        if window.limit:
            self._shape(window.limit, caution)

    def change(self, per_minute: float, now: float) -> None:
        """See Meter."""
        del now
        self._shape(per_minute)

    def _shape(self, per_minute: float, caution: float = 1.0) -> None:
        self._most = max(1, int(per_minute / MINUTE_S))
        self._length_s = self._most * MINUTE_S / per_minute + SLACK_S * caution
