"""The time that a run's events are stamped with: the wall's at its beginning, then one that nobody sets."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from ai3ray.domain.events import utc_now

Clock = Callable[[], str]
"""Tells the time of day as events have it; it may jump."""
Monotonic = Callable[[], float]
"""Tells seconds; it never jumps."""


class RunClockFactory(Protocol):
    """Makes runs' clocks."""

    def __call__(self, not_before: str = "", /) -> RunClock:
        """The clock of a run whose latest stamp is this one; a new run has none."""
        ...


class RunClock:
    """One run's time. Whatever happens to the wall clock, its stamps keep their order and their distances.

    Args:
        not_before: a stamp that the run has already, from an earlier life; its time goes on from there at least.
        clock: the time of day, read once, now.
        monotonic: counts from there on.
    """

    def __init__(self, not_before: str = "", *, clock: Clock = utc_now, monotonic: Monotonic = time.monotonic) -> None:
        self._anchor = max(map(_moment, filter(None, (clock(), not_before))))
        self._since = monotonic()
        self._monotonic = monotonic
        self._latest = (-1, "")

    def __call__(self) -> str:
        """The time now, as events have it."""
        passed_ms = int((self._monotonic() - self._since) * 1000)
        if passed_ms != self._latest[0]:
            moment = self._anchor + timedelta(milliseconds=passed_ms)
            self._latest = passed_ms, f"{moment.isoformat(timespec='milliseconds')}Z"
        return self._latest[1]


def _moment(stamp: str) -> datetime:
    """UTC without a zone, which is quicker to add to and to write."""
    return datetime.fromisoformat(stamp).astimezone(UTC).replace(tzinfo=None)
