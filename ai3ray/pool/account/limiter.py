"""An adaptive limit for calls in flight."""

from __future__ import annotations

from math import inf

START = 20
"""Calls in flight at first, unless configured."""
CUT = 0.8
"""Factor of the limit after a 429."""
GROWTH = 1.05
"""Factor of the limit after a clean window, once there was a 429."""
DEBOUNCE_S = 15.0
"""Seconds after a cut without another or any growth."""
PATIENCE = 32
"""Most clean windows before a trial."""
DISTRUST = 2
"""Episodes without a proven limit after one was refused."""


class Limiter:
    """The permits of one account.

    The limit starts at `start` and doubles after each window of as many clean replies as it allows calls, until the
    first 429. Each episode of 429 cuts it by the factor CUT and lasts DEBOUNCE_S, or as long as the provider asks to
    wait; from then on a clean window raises it by the factor GROWTH, at least by one permit. A provider's fault
    restarts the window. Only a window with all permits out raises the limit: an unused limit is untested. (Adaptive
    connections in UKGovernmentBEIS/inspect_ai, `util/_concurrency.py`.)

    The largest limit with a clean window is proven, and returns at once after an episode. One permit more is tried
    after 2 clean windows, after 4 if that was refused, up to PATIENCE; a refused trial costs only that permit. When a
    proven limit is refused, none is trusted for DISTRUST episodes: the refusals are probably about rates that no reply
    reports.
    """

    def __init__(self, ceiling: int, start: int | None = None) -> None:
        self.ceiling = ceiling
        self.in_flight = 0
        self._start = start or START
        self._exact = float(self._start)  # the limit with its fraction, before the ceiling
        self.limit = min(ceiling, self._start)
        """From 1 to the ceiling."""
        self._clean = 0
        self._limited_before = False
        self._hold_until = -inf
        self._proven = 0.0
        self._patience = 1
        self._windows = 0
        self._distrust = 0

    @property
    def full(self) -> bool:
        """True when no permit is left."""
        return self.in_flight >= self.limit

    @property
    def load(self) -> float:
        """Share of the permits in use, 0 to 1."""
        return min(1.0, self.in_flight / self.limit)

    def acquire(self) -> None:
        """Give out a permit."""
        self.in_flight += 1
        self._grow()

    def release(self) -> None:
        """Take back a permit."""
        self.in_flight -= 1

    def succeeded(self, now: float) -> None:
        """Count a clean reply, before its permit is released."""
        # A reply during an episode says nothing about the lower limit: its call began before the cut.
        # 1. A reply during an episode says nothing about the lower limit: its call began before the cut.
        if now < self._hold_until:
            return
        # 2. The episode is over: return to the proven limit at once.
        # The episode is over.
        if self._exact < self._proven and not self._distrust:
            self._set(self._proven)
        # 3. The reply counts in the window.
        self._clean += 1
        self._grow()

    def failed(self) -> None:
        """Restart the window after a provider's fault."""
        self._clean = 0

    def rate_limited(self, now: float, retry_after_s: float | None) -> None:
        """Cut the limit after a 429, once per episode."""
        self._clean = 0
        self._limited_before = True
        if now >= self._hold_until:
            self._set(max(1.0, self._reduced()))
            self._hold_until = now + DEBOUNCE_S
        self._hold_until = max(self._hold_until, now + (retry_after_s or 0.0))

    def configure(self, ceiling: int, start: int | None) -> None:
        """Apply another ceiling and start."""
        untested = self._exact == self._start and not self._limited_before
        self.ceiling, self._start = ceiling, start or START
        self._set(float(self._start) if untested else self._exact)

    def _grow(self) -> None:
        # 1. Only a full window that was used to the full says that the limit holds.
        if self._clean < self.limit or not self.full:
            return
        self._clean = 0
        # 2. The limit is proven; a higher one than before is followed by the next trial at once.
        if self._exact > self._proven:
            self._proven, self._patience, self._windows = self._exact, 1, 0
        # 3. After enough clean windows more is tried: twice as much before the first 429, then 5 % or one permit,
        #    and only one permit while an earlier trial was refused.
        self._windows += 1
        if self._windows < self._patience or self._exact >= self.ceiling:
            return
        self._windows = 0
        if not self._limited_before:
            raised = self._exact * 2.0
        elif self._patience > 1:
            raised = self._exact + 1.0
        else:
            raised = max(self._exact * GROWTH, self._exact + 1.0)
        self._set(min(float(self.ceiling), raised))

    def _reduced(self) -> float:
        """Return the limit with which an episode begins."""
        tried, proven = min(self._exact, self.ceiling), self._proven
        self._windows = 0
        # 1. The proven limit itself was refused: forget it, and trust none for some episodes.
        if tried <= proven:
            self._proven, self._patience, self._distrust = 0.0, 1, DISTRUST
            return tried * CUT
        # 2. A trial above it was refused: wait twice as long before the next one.
        patient, self._patience = self._patience > 1, min(2 * self._patience, PATIENCE)
        # 3. No limit is trusted, or none is proven: cut.
        if self._distrust or not proven:
            self._distrust = max(0, self._distrust - 1)
            return tried * CUT
        # 4. The trial was of one permit: give it back, and cut nothing.
        if patient and tried <= proven + 1:
            return proven
        # 5. Cut what was in flight: the limit may be far above what has been tested.
        return min(tried, max(proven, self.in_flight)) * CUT

    def _set(self, exact: float) -> None:
        self._exact = exact
        self.limit = min(self.ceiling, int(exact + 1e-9))
