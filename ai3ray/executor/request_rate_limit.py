"""How often each API key may ask: exact over all servers, because the one core counts."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

WINDOW_S = 60.0


class RequestRateLimit:
    """Lets each caller in at most so many times within any minute.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._entered: dict[str, deque[float]] = {}

    def wait_s(self, caller: str, per_minute: int) -> float:
        """Count one more entry and return 0; or, when the minute is full, count none and return how long it stays so.

        Args:
            caller: whose entries are counted.
            per_minute: the most in any 60 seconds.
        """
        now, entered = self._clock(), self._entered.setdefault(caller, deque())
        while entered and entered[0] <= now - WINDOW_S:
            entered.popleft()
        if len(entered) < per_minute:
            entered.append(now)
            return 0.0
        return entered[-per_minute] + WINDOW_S - now


def until_midnight_s() -> float:
    """Seconds until the day changes, UTC, and with it what a key may spend."""
    now = datetime.now(UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return (midnight - now).total_seconds()
