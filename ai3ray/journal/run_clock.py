"""The clock of a run: wall time at its start, then monotonic."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from ai3ray.domain.events import utc_now

Clock = Callable[[], str]
"""Returns the time of day as events have it; it may jump."""
Monotonic = Callable[[], float]
"""Returns seconds; it never jumps."""


class RunClockFactory(Protocol):
    """Makes the clocks of runs."""

    def __call__(self, not_before: str = "", /) -> RunClock:
        """Return a clock that continues after this time stamp, if any."""
        ...


class RunClock:
    """Time stamps in order and at true distances, even when the wall clock is set.

    Args:
        not_before: the run's latest time stamp from an earlier process.
        clock: the time of day, read once.
        monotonic: seconds that pass from then on.
    """

    def __init__(self, not_before: str = "", *, clock: Clock = utc_now, monotonic: Monotonic = time.monotonic) -> None:
        self._anchor = max(map(_moment, filter(None, (clock(), not_before))))
        self._since = monotonic()
        self._monotonic = monotonic
        self._latest = (-1, "")

    def __call__(self) -> str:
        """Return the time as events have it."""
        passed_ms = int((self._monotonic() - self._since) * 1000)
        if passed_ms != self._latest[0]:
            moment = self._anchor + timedelta(milliseconds=passed_ms)
            self._latest = passed_ms, f"{moment.isoformat(timespec='milliseconds')}Z"
        return self._latest[1]


def _moment(stamp: str) -> datetime:
    """Return UTC without a zone, which is faster to add to and to format."""
    return datetime.fromisoformat(stamp).astimezone(UTC).replace(tzinfo=None)
