"""What one account may do: the figures; `limits.py` counts by them."""

from __future__ import annotations

from pydantic import Field

from ai3ray.domain.frozen import Frozen


class Ramp(Frozen):
    """How fast an account's use may grow before it gets `ramp_limit_exceeded` or `slow_down`."""

    tokens: int | None = Field(default=None, ge=1)
    """Input tokens per minute that are always allowed; no such limit when absent."""
    requests: int | None = Field(default=None, ge=1)
    """Requests per minute that are always allowed; no such limit when absent."""
    growth: float = Field(default=0.5, ge=0)
    """By how much a window may exceed the busiest minute of the one before: 0.5 is half as much again."""
    window_s: float = Field(default=900.0, gt=0)
    """Length of a window in seconds."""


class Limits(Frozen):
    """What one account may do before it gets 429."""

    concurrency: int = Field(default=1000, ge=1)
    """Calls at the same time."""
    rpm: int = Field(default=20_000, ge=1)
    """Requests per minute. Anthropic, OpenAI: a bucket that starts full; xAI: a sixtieth of it in any one second."""
    tpm: int = Field(default=40_000_000, ge=1)
    """Tokens per minute. OpenAI: the larger of cap and estimate, up front; the others: both directions, as used."""
    itpm: int | None = Field(default=None, ge=1)
    """Input tokens per minute that came from no cache, Anthropic only; no such limit when absent."""
    otpm: int | None = Field(default=None, ge=1)
    """Output tokens per minute as they are written, Anthropic only; no such limit when absent."""
    burst_s: float = Field(default=60.0, gt=0, le=60)
    """Seconds' worth of a minute's allowance that may be used at once."""
    spend_usd: float | None = Field(default=None, ge=0)
    """US dollars after which every call is refused, without a time to wait; no such cap when absent."""
    ramp: Ramp | None = None
    """How fast use may grow; as fast as it likes when absent."""

    def scaled(self, factor: float) -> Limits:
        """The same with concurrency and all allowances per minute multiplied, each at least 1."""
        names = ("concurrency", "rpm", "tpm", "itpm", "otpm")
        now = {name: getattr(self, name) for name in names}
        return self.model_copy(
            update={name: max(1, round(most * factor)) for name, most in now.items() if most is not None}
        )
