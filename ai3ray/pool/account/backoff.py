"""A pause that grows while failures go on."""

from __future__ import annotations

from math import inf


class Backoff:
    """The time until which something is not called.

    Calls that began before a pause and fail during it do not lengthen it: ten calls that meet one rate limit are
    one episode, not ten.

    Args:
        base_s: seconds of the first pause; each further episode doubles it.
        cap_s: the longest pause, in seconds, unless the provider asks for more.
        floor_s: the shortest pause, in seconds, whatever the provider asks for.
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
        """Pause after a failed call.

        Args:
            now: seconds of the pool's clock.
            began: when the call began.
            retry_after_s: seconds that the provider asked for.

        Returns:
            True for a new episode.
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
        """Let the next pause start small again after a success. The current pause goes on.

        Args:
            began: when the successful call began; a pause that began later is not affected.
        """
        if began > self._since:
            self._streak = 0
