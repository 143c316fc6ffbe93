"""What a provider allows per minute, as token buckets: of requests, and of tokens."""

from __future__ import annotations

from collections.abc import Iterator

from ai3ray.domain.call import Usage
from ai3ray.settings import ProviderSettings

BURST_S = 1.0
"""Seconds' worth of the rate that may be used at once: vendors may enforce a minute's limit by the second."""


class Bucket:
    """A token bucket that may go into debt: what a call uses is known only after it was let through.

    Args:
        per_minute: the rate it fills at.
        unit: what it holds, for messages.
    """

    def __init__(self, per_minute: int, unit: str) -> None:
        self.unit = unit
        self._per_s = per_minute / 60.0
        self._capacity = max(1.0, self._per_s * BURST_S)
        self._level = self._capacity
        self._at = 0.0

    def ready_at(self, now: float) -> float:
        """When the next call may be let through; not after `now` when it may be now."""
        self._fill(now)
        missing = min(1.0, self._capacity) - self._level
        return now + missing / self._per_s if missing > 1e-9 else now

    def use(self, amount: float, now: float) -> None:
        """Take out what was used, or give back, when negative, what was not."""
        self._fill(now)
        self._level = min(self._capacity, self._level - amount)

    def _fill(self, now: float) -> None:
        if now > self._at:
            self._level = min(self._capacity, self._level + (now - self._at) * self._per_s)
            self._at = now


class Allowance:
    """All buckets of one provider account; those without a configured rate do not exist.

    Args:
        provider: the account's configuration.
    """

    def __init__(self, provider: ProviderSettings) -> None:
        self._requests = _bucket(provider.rpm, "requests")
        self._tokens = _bucket(provider.tpm, "tokens")
        self._input = _bucket(provider.itpm, "input tokens")
        self._output = _bucket(provider.otpm, "output tokens")
        self._all = [bucket for bucket in (self._requests, self._tokens, self._input, self._output) if bucket]

    def held_back(self, now: float) -> str | None:
        """Which rate is used up; None when a call may be let through."""
        for bucket in self._all:
            wait = bucket.ready_at(now) - now
            if wait > 0:
                return f"its {bucket.unit} per minute are used up for {wait:.1f} s"
        return None

    def pauses(self, now: float) -> Iterator[float]:
        """When each rate lets the next call through."""
        for bucket in self._all:
            yield bucket.ready_at(now)

    def reserve(self, input_tokens: int, now: float) -> None:
        """A call is let through: its request counts, and its input as estimated."""
        _use(self._requests, 1, now)
        _use(self._tokens, input_tokens, now)
        _use(self._input, input_tokens, now)

    def correct(self, reserved: int, usage: Usage | None, now: float) -> None:
        """A call has ended: its real tokens stand in for the estimate, where they are known."""
        if usage is None:
            return
        _use(self._tokens, usage.input_tokens + usage.output_tokens - reserved, now)
        _use(self._input, usage.input_tokens - usage.cached_tokens - reserved, now)
        _use(self._output, usage.output_tokens, now)


def _bucket(per_minute: int | None, unit: str) -> Bucket | None:
    return Bucket(per_minute, unit) if per_minute else None


def _use(bucket: Bucket | None, amount: float, now: float) -> None:
    if bucket is not None:
        bucket.use(amount, now)
