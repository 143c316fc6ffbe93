"""A growing pause."""

from __future__ import annotations

from math import inf


class Backoff:
    """A pause that doubles with each episode of failures, from `base_s` to `cap_s` seconds.

    A provider's requested pause replaces it, but lasts at least `floor_s`. A call that began before a pause and fails
    during it belongs to its episode.
    """

    def __init__(self, base_s: float, cap_s: float, floor_s: float = 0.0) -> None:
        self._base_s = base_s
        self._cap_s = cap_s
        self._floor_s = floor_s
        self._since = -inf
        self._streak = 0
        self.until = -inf
        """On the pool's clock."""

    def extend(self, now: float, began: float, retry_after_s: float | None = None) -> bool:
        """Pause after a call that began at `began`; return True for a new episode."""
        new = began > self._since
        if new:
            self._streak += 1
            self._since = now
            wait = min(self._cap_s, self._base_s * 2.0 ** min(self._streak - 1, 30))
        else:
            wait = 0.0
        if retry_after_s is not None:
            wait = max(self._floor_s, retry_after_s)
        self.until = max(self.until, now + wait)
        return new

    def clear(self, began: float = inf) -> None:
        """Reset the next pause's length, unless the call began before the last pause."""
        if began > self._since:
            self._streak = 0
