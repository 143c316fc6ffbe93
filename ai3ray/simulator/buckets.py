"""The rate limits of one account: token buckets that fill continuously, as Anthropic describes its own."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ai3ray.simulator.asked import Refused
from ai3ray.simulator.settings import Limits

MINUTE_S = 60.0
_INSTANT_S = 1e-6
"""No wait: below it are only errors of rounding."""


@dataclass
class Bucket:
    """An allowance per minute."""

    per_minute: int
    """How much a minute brings, and the most it holds."""
    level: float
    """What is in it."""
    at: float
    """When that was so, in seconds of a monotonic clock."""

    def fill(self, now: float) -> None:
        """Let time pass."""
        self.level = min(self.per_minute, self.level + (now - self.at) * self.per_minute / MINUTE_S)
        self.at = now

    def wait_s(self, amount: float) -> float:
        """Seconds until so much is in it; 0 when it is."""
        return max(0.0, (min(amount, self.per_minute) - self.level) * MINUTE_S / self.per_minute)

    @property
    def reset_s(self) -> float:
        """Seconds until it is full."""
        return (self.per_minute - self.level) * MINUTE_S / self.per_minute


class Allowance:
    """What one account may still do.

    Args:
        limits: its limits.
        now: a monotonic clock, in seconds.
    """

    def __init__(self, limits: Limits, now: float) -> None:
        self.concurrency = limits.concurrency
        self.requests = Bucket(limits.rpm, limits.rpm, now)
        self.tokens = Bucket(limits.tpm, limits.tpm, now)

    def admit(self, now: float, in_flight: int, amount: int) -> None:
        """Take a request of so many tokens out of the buckets.

        Raises:
            Refused: it does not fit; nothing was taken.
        """
        for bucket in (self.requests, self.tokens):
            bucket.fill(now)
        if in_flight >= self.concurrency:
            raise Refused("rate_limit", f"more than {self.concurrency} concurrent requests", retry_after_s=1.0)
        for bucket, need, unit in ((self.requests, 1, "requests"), (self.tokens, amount, "tokens")):
            wait_s = bucket.wait_s(need)
            if wait_s > _INSTANT_S:
                message = f"the limit of {bucket.per_minute} {unit} per minute is reached"
                raise Refused("rate_limit", message, retry_after_s=math.ceil(wait_s - _INSTANT_S))
        self.requests.level -= 1
        self.tokens.level -= amount

    def correct(self, amount: float) -> None:
        """Give back what was taken too much, or take what was not."""
        self.tokens.level += amount
