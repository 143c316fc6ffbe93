"""The settings of one account's limits."""

from __future__ import annotations

from pydantic import Field

from ai3ray.domain.frozen import Frozen


class Ramp(Frozen):
    """Growth of an account's use before `ramp_limit_exceeded` or `slow_down`."""

    tokens: int | None = Field(default=None, ge=1)
    """Input tokens per minute that are always allowed; unlimited when absent."""
    requests: int | None = Field(default=None, ge=1)
    """Requests per minute that are always allowed; unlimited when absent."""
    growth: float = Field(default=0.5, ge=0)
    """Growth over the busiest minute of the window before; 0.5 is half as much again."""
    window_s: float = Field(default=900.0, gt=0)


class Limits(Frozen):
    """The use of one account before it gets 429."""

    concurrency: int = Field(default=1000, ge=1)
    rpm: int = Field(default=20_000, ge=1)
    """Requests per minute. Anthropic, OpenAI: a bucket that starts full; xAI: a sixtieth of it in any one second."""
    tpm: int = Field(default=40_000_000, ge=1)
    """Tokens per minute. OpenAI: the larger of cap and estimate, up front; the others: input and output, as used."""
    itpm: int | None = Field(default=None, ge=1)
    """Uncached input tokens per minute, Anthropic only; unlimited when absent."""
    otpm: int | None = Field(default=None, ge=1)
    """Output tokens per minute as they are written, Anthropic only; unlimited when absent."""
    burst_s: float = Field(default=60.0, gt=0, le=60)
    """Seconds of the allowance that may be used at once."""
    spend_usd: float | None = Field(default=None, ge=0)
    """US dollars after which every call is refused, with no time to wait; unlimited when absent."""
    ramp: Ramp | None = None
    """How fast use may grow; unlimited when absent."""

    def scaled(self, factor: float) -> Limits:
        """Return these limits with concurrency and allowances per minute multiplied, each at least 1."""
        names = ("concurrency", "rpm", "tpm", "itpm", "otpm")
        now = {name: getattr(self, name) for name in names}
        return self.model_copy(
            update={name: max(1, round(most * factor)) for name, most in now.items() if most is not None}
        )
