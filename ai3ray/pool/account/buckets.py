"""Meters for one limit per minute."""

from __future__ import annotations

from collections import deque
from math import inf
from typing import Protocol

from ai3ray.domain.call import RateWindow

MINUTE_S = 60.0
BURST_S = 0.5
"""Seconds' worth of a configured rate allowed at once: vendors may count by the second."""
RESERVE = 0.1
"""Share of a provider's bucket left for other clients and outdated reports."""
SLACK_S = 0.01
"""Seconds added to a window without bursts: calls arrive unevenly."""
UNEVEN_S = 0.25
"""Seconds' worth of the rate left in a provider's bucket, likewise."""
_FADE = 0.98
_TOLERANCE = 1e-9


class RateMeter(Protocol):
    """One limit per minute."""

    unit: str

    def ready_at(self, now: float) -> float:
        """Return when the next call may begin, possibly in the past."""
        ...

    def use(self, amount: float, now: float) -> None:
        """Take out an amount, or give back a negative one; debt is allowed."""
        ...

    def observe(self, window: RateWindow, caution: float, now: float) -> None:
        """Adopt a reply's report; caution above 1 leaves more unused."""
        ...

    def change(self, per_minute: float, now: float) -> None:
        """Apply another rate."""
        ...


class TokenBucket:
    """A bucket of `burst_s` seconds' worth of its rate; debt is allowed."""

    def __init__(self, per_minute: float, unit: str, burst_s: float = BURST_S) -> None:
        self.unit = unit
        self._burst_s = burst_s
        self._reserve = 0.0
        self._largest_use = 1.0
        self._at = 0.0
        self._level = inf
        self._set_rate(per_minute)

    def ready_at(self, now: float) -> float:
        """Return when it holds one again."""
        self._fill(now)
        missing = 1.0 - self._level
        return now + missing / self._per_s if missing > _TOLERANCE else now

    def use(self, amount: float, now: float) -> None:
        """Take or give back an amount."""
        self._fill(now)
        self._largest_use = max(amount, self._largest_use * _FADE)
        self._level = min(self._capacity, self._level - amount)

    def observe(self, window: RateWindow, caution: float, now: float) -> None:
        """Adopt the provider's bucket, less a reserve and one large call."""
        self._fill(now)
        if window.limit:
            # 1. What the provider's bucket holds when full: less than the limit where bursts are refused.
            held = float(window.limit)
            if window.remaining is not None and window.reset_s is not None:
                held = max(1.0, min(held, window.remaining + window.reset_s * held / MINUTE_S))
            # 2. What is left unused of it: the largest of the reserve, the unevenness and one large call.
            uneven = min(caution * UNEVEN_S * window.limit / MINUTE_S, held / 2.0)
            self._reserve = max(0.0, min(max(RESERVE * held, uneven, self._largest_use - 1.0), held - 1.0))
            self._set_rate(window.limit, held)
        # 3. What is left now, never more than our own count.
        if window.remaining is not None:
            self._level = min(self._level, window.remaining - self._reserve)

    def change(self, per_minute: float, now: float) -> None:
        """Apply another rate."""
        self._fill(now)
        self._set_rate(per_minute)

    def _set_rate(self, per_minute: float, held: float | None = None) -> None:
        self._per_s = per_minute / MINUTE_S
        self._capacity = max(1.0, (self._per_s * self._burst_s if held is None else held) - self._reserve)
        self._level = min(self._capacity, self._level)

    def _fill(self, now: float) -> None:
        if now > self._at:
            self._level = min(self._capacity, self._level + (now - self._at) * self._per_s)
            self._at = now


class RequestPacer:
    """Requests without bursts, in windows of about a second: 90 per minute are 1 per 0.67 s, 148 are 2 per 0.81 s."""

    def __init__(self, per_minute: float, unit: str) -> None:
        self.unit = unit
        self._used: deque[float] = deque()
        self._set_rate(per_minute)

    def ready_at(self, now: float) -> float:
        """Return when the window has a request left."""
        return self._used[-self._most] + self._window_s if len(self._used) >= self._most else now

    def use(self, amount: float, now: float) -> None:
        """Count a request; none is given back."""
        if amount > 0:
            self._used.append(now)
            while len(self._used) > self._most:
                self._used.popleft()

    def observe(self, window: RateWindow, caution: float, now: float) -> None:
        """Adopt a reply's limit; its remaining count is already outdated."""
        del now
        if window.limit:
            self._set_rate(window.limit, caution)

    def change(self, per_minute: float, now: float) -> None:
        """Apply another rate."""
        del now
        self._set_rate(per_minute)

    def _set_rate(self, per_minute: float, caution: float = 1.0) -> None:
        self._most = max(1, int(per_minute / MINUTE_S))
        self._window_s = self._most * MINUTE_S / per_minute + SLACK_S * caution
