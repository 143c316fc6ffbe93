"""What has been seen of one model lately: the figures that routing goes by."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

WINDOW = 64
"""Calls whose seconds are kept for the quantiles."""
KEEP = 0.95
"""What one more outcome leaves of the weight of the earlier ones: the last 20 or so count."""
HALF_LIFE_S = 600.0
"""Seconds in which an outcome loses half its weight, so that a model that was bad is tried again."""
WARM = 4
"""Calls that the journal's figures count for: they say how it was, not how it is."""
PRIOR_SUCCESSES = 4.75
PRIOR_FAILURES = 0.25
"""Before anything is seen, a model is taken to succeed in 95 of 100 calls, with the weight of five calls."""


class LiveStats:
    """Live figures of one model.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seen_at = clock()
        self._good = 0.0
        self._bad = 0.0
        self._seconds: deque[float] = deque(maxlen=WINDOW)
        self._sorted: list[float] | None = []
        self._succeeded = 0
        self._judged = 0
        self.calls = 0
        """Calls that have ended."""
        self.in_flight = 0
        """Calls that have not."""
        self.cost_usd = 0.0
        """Sum of the known costs."""

    def begin(self) -> None:
        """A call starts."""
        self.in_flight += 1

    def end(self, *, success: bool | None, seconds: float = 0.0, cost_usd: float | None = None) -> None:
        """A call has ended.

        Args:
            success: None when the outcome says nothing about the model, such as a rate limit.
            seconds: how long it took; kept when it succeeded.
            cost_usd: what it cost, when known.
        """
        self.in_flight -= 1
        self.calls += 1
        self.cost_usd += cost_usd or 0.0
        if success is None:
            return
        self._judged += 1
        fade = self._fade() * KEEP
        self._good = self._good * fade + success
        self._bad = self._bad * fade + (not success)
        self._seen_at = self._clock()
        if success:
            self._succeeded += 1
            self._seconds.append(seconds)
            self._sorted = None

    def warm(self, *, calls: int, success: float, p50_s: float | None = None, cost_usd: float = 0.0) -> None:
        """Begin with what the journal knows of earlier days, worth WARM calls at most.

        Args:
            calls: calls that ended.
            success: share of them that succeeded, 0 to 1.
            p50_s: median seconds of a call.
            cost_usd: what they cost.
        """
        weight = min(calls, WARM)
        self._good, self._bad = weight * success, weight * (1 - success)
        self._seen_at = self._clock()
        self._succeeded, self._judged, self.calls, self.cost_usd = round(calls * success), calls, calls, cost_usd
        if p50_s is not None:
            self._seconds.append(p50_s)
            self._sorted = None

    @property
    def success(self) -> float:
        """Discounted probability of success, 0 to 1: the mean of a Beta posterior whose evidence fades."""
        fade = self._fade()
        good = self._good * fade + PRIOR_SUCCESSES
        return good / (good + self._bad * fade + PRIOR_FAILURES)

    @property
    def share(self) -> float | None:
        """Plain share of successes; None before the first outcome."""
        return self._succeeded / self._judged if self._judged else None

    def quantile(self, q: float) -> float | None:
        """Seconds that the share `q` of recent successful calls stayed under (nearest rank); None before the first."""
        if self._sorted is None:
            self._sorted = sorted(self._seconds)
        if not self._sorted:
            return None
        return self._sorted[min(int(q * len(self._sorted)), len(self._sorted) - 1)]

    def _fade(self) -> float:
        if not self._good and not self._bad:
            return 1.0
        return float(0.5 ** max(0.0, (self._clock() - self._seen_at) / HALF_LIFE_S))
