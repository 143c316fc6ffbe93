"""A pause that grows while failures go on."""

from __future__ import annotations

from math import inf


class Backoff:
    """Until when something is left alone.

    Calls that were already under way when a pause began and fail for the same reason lengthen nothing:
    ten calls that meet one rate limit are one episode, not ten.

    Args:
        base_s: seconds of the first pause; each further episode doubles it.
        cap_s: the longest pause, in seconds, unless the other side asks for more.
        floor_s: the shortest pause, whatever the other side asks for.
    """

    def __init__(self, base_s: float, cap_s: float, floor_s: float = 0.0) -> None:
        self._base_s = base_s
        self._cap_s = cap_s
        self._floor_s = floor_s
        self._since = -inf
        self._streak = 0
        self.until = -inf
        """When the pause is over, in seconds of the pool's clock."""

    def extend(self, now: float, began: float, retry_after_s: float | None = None) -> bool:
        """A call failed.

        Args:
            now: seconds of the pool's clock.
            began: when the call was begun.
            retry_after_s: seconds that the other side asked for.

        Returns:
            whether it is a new episode.
        """
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
        """A call succeeded: the next pause starts small again. One that is going on is kept.

        Args:
            began: when the call was begun; it says nothing about a pause that began later.
        """
        if began > self._since:
            self._streak = 0
