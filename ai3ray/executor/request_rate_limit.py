"""API keys' requests per minute, over all servers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

WINDOW_S = 60.0


class RequestRateLimit:
    """A sliding window per caller; `clock` is in monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._entered: dict[str, deque[float]] = {}

    def wait_s(self, caller: str, per_minute: int) -> float:
        """Count one request and return 0, or return the seconds to wait."""
        now, entered = self._clock(), self._entered.setdefault(caller, deque())
        while entered and entered[0] <= now - WINDOW_S:
            entered.popleft()
        if len(entered) < per_minute:
            entered.append(now)
            return 0.0
        return entered[-per_minute] + WINDOW_S - now


def until_midnight_s() -> float:
    """Return the seconds until 00:00 UTC."""
    now = datetime.now(UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return (midnight - now).total_seconds()
