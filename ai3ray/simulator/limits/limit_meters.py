"""Meters of an allowance per minute: a refilling bucket, request spacing, and a limit on growth."""

from __future__ import annotations

from collections import deque
from typing import Protocol

MINUTE_S = 60.0
_ROUNDING = 1e-6
"""Smaller amounts are rounding errors, not a shortage."""


class LimitMeter(Protocol):
    """A meter of an allowance. Times are monotonic seconds."""

    per_minute: float

    def wait_s(self, now: float, amount: float) -> float:
        """Return the seconds until the amount may be used."""
        ...

    def take(self, now: float, amount: float) -> None:
        """Use the amount, or give it back when negative. The meter may go into debt."""
        ...

    def left(self, now: float) -> float:
        """Return the amount that may be used now, never below 0."""
        ...

    def reset_s(self, now: float) -> float:
        """Return the seconds until the whole allowance is available."""
        ...

    def change(self, now: float, per_minute: float) -> None:
        """Replace the allowance; past use still counts."""
        ...


class RefillingBucket:
    """A token bucket that starts full and refills continuously, as Anthropic describes its own.

    Args:
        per_minute: the refill.
        now: the clock.
        burst_s: the seconds of refill that the bucket holds.
    """

    __slots__ = ("_at", "_burst_s", "_capacity", "_level", "per_minute")

    def __init__(self, per_minute: float, now: float, burst_s: float = MINUTE_S) -> None:
        self.per_minute = per_minute
        self._burst_s = burst_s
        self._capacity = max(1.0, per_minute * burst_s / MINUTE_S)
        self._level = self._capacity
        self._at = now

    def wait_s(self, now: float, amount: float) -> float:
        """Return the seconds until the bucket has the amount; a larger amount waits until it is full."""
        self._fill(now)
        missing = min(amount, self._capacity) - self._level
        return missing * MINUTE_S / self.per_minute if missing > _ROUNDING else 0.0

    def take(self, now: float, amount: float) -> None:
        """Use the amount, or give it back."""
        self._fill(now)
        self._level = min(self._capacity, self._level - amount)

    def left(self, now: float) -> float:
        """Return the amount in the bucket."""
        self._fill(now)
        return max(0.0, self._level)

    def reset_s(self, now: float) -> float:
        """Return the seconds until the bucket is full."""
        self._fill(now)
        return (self._capacity - self._level) * MINUTE_S / self.per_minute

    def change(self, now: float, per_minute: float) -> None:
        """Replace the refill rate and the capacity."""
        self._fill(now)
        self.per_minute = per_minute
        self._capacity = max(1.0, per_minute * self._burst_s / MINUTE_S)
        self._level = min(self._level, self._capacity)

    def _fill(self, now: float) -> None:
        if now > self._at:
            self._level = min(self._capacity, self._level + (now - self._at) * self.per_minute / MINUTE_S)
            self._at = now


class RequestSpacing:
    """A sliding window of about a second, because xAI allows no bursts within a minute.

    Args:
        per_minute: 90 requests per minute allow one in every two thirds of a second.
    """

    __slots__ = ("_length_s", "_most", "_used", "per_minute")

    def __init__(self, per_minute: float) -> None:
        self._used: deque[float] = deque()
        self.per_minute = per_minute
        self._shape()

    def wait_s(self, now: float, amount: float) -> float:
        """Return the seconds until the requests fit into the window."""
        self._slide(now)
        over = len(self._used) + max(1, round(amount)) - self._most
        if over <= 0 or not self._used:
            return 0.0
        return max(0.0, self._used[min(over, len(self._used)) - 1] + self._length_s - now)

    def take(self, now: float, amount: float) -> None:
        """Add requests to the window."""
        self._used.extend([now] * round(amount))

    def left(self, now: float) -> float:
        """Return the requests left in the window."""
        self._slide(now)
        return max(0.0, self._most - len(self._used))

    def reset_s(self, now: float) -> float:
        """Return the seconds until the window is empty."""
        self._slide(now)
        return max(0.0, self._used[-1] + self._length_s - now) if self._used else 0.0

    def change(self, now: float, per_minute: float) -> None:
        """Replace the allowance."""
        self.per_minute = per_minute
        self._shape()
        self._slide(now)

    def _shape(self) -> None:
        self._most = max(1, int(self.per_minute / MINUTE_S))
        self._length_s = self._most * MINUTE_S / self.per_minute

    def _slide(self, now: float) -> None:
        while self._used and self._used[0] + self._length_s <= now + _ROUNDING:
            self._used.popleft()


class GrowthLimit:
    """A limit on growth: a minute may use at most 1 + `growth` times the busiest minute of the window before.

    The vendors publish only a rule of thumb (OpenAI: above a million input tokens per minute, at most +50 % in
    15 minutes); this is the simplest rule of that form.

    Args:
        floor: the use per minute that is always allowed.
        growth: 0.5 allows half as much again.
        window_s: the length of a window.
        now: the clock.
    """

    __slots__ = ("_bucket", "_floor", "_growth", "_minute", "_minute_s", "_peak", "_used", "_window", "_window_s")

    def __init__(self, floor: float, growth: float, window_s: float, now: float) -> None:
        self._floor, self._growth, self._window_s = floor, growth, window_s
        self._minute_s = min(MINUTE_S, window_s)
        self._bucket = RefillingBucket(floor, now, self._minute_s)
        self._minute = self._window = now
        self._used = self._peak = 0.0

    @property
    def allowed(self) -> float:
        """The use per minute that the present window allows."""
        return self._bucket.per_minute

    def wait_s(self, now: float, amount: float) -> float:
        """Return the seconds until the amount may be used."""
        self._roll(now)
        return self._bucket.wait_s(now, amount)

    def take(self, now: float, amount: float) -> None:
        """Use the amount."""
        self._roll(now)
        self._bucket.take(now, amount)
        self._used += amount

    def _roll(self, now: float) -> None:
        """Close the minutes and windows that have ended."""
        if now - self._minute < self._minute_s:
            return
        # 1. A minute that has ended may raise the peak. A full bucket on top of its refill is a burst, not growth.
        self._peak = max(self._peak, min(self.allowed, self._used * MINUTE_S / self._minute_s))
        self._minute += (now - self._minute) // self._minute_s * self._minute_s
        self._used = 0.0
        # 2. A window that has ended sets the allowance of the next by its peak; after an idle window it starts anew.
        windows = int((now - self._window) // self._window_s)
        if windows:
            seen = self._peak if windows == 1 else 0.0
            self._bucket.change(now, max(self._floor, seen * (1.0 + self._growth)))
            self._window += windows * self._window_s
            self._peak = 0.0
