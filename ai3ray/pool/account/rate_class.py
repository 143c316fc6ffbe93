"""One class of an account's models."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from ai3ray.domain.call import RateHeaders, Usage
from ai3ray.pool.account.backoff import Backoff
from ai3ray.pool.account.buckets import MINUTE_S, TokenBucket
from ai3ray.pool.account.charge import USUAL_OUTPUT, Charge
from ai3ray.pool.account.rate_limits import RateLimits
from ai3ray.registry.cards import ModelCard
from ai3ray.settings.model import Admission, ProviderSettings

RAMP_S = 2.0
"""Seconds after a pause in which calls are spread evenly."""
JITTER = 0.1
"""Share by which chance lengthens a pause, so that clients return apart."""
_LEAST_JITTER_S, _MOST_JITTER_S = 0.05, 1.0
_LATEST_WEIGHT = 0.1


class RateClass:
    """Models that share limits per minute."""

    def __init__(self, admission: Admission, jitter: Callable[[], float]) -> None:
        self.models: set[str] = set()
        self.rates = RateLimits(admission)
        """Reported by replies."""
        self.usual_output = USUAL_OUTPUT
        """Tokens of recent answers."""
        self.limited = False
        """True once a reply reported a limit or asked to wait."""
        self._backoff = Backoff(base_s=1.0, cap_s=30.0, floor_s=0.1)
        self._jitter = jitter
        self._until = -inf
        self._ramp: TokenBucket | None = None
        self._observed_from = -inf

    def pause_reason(self, now: float) -> str | None:
        """Return why its models are paused, or None."""
        if now < self._until:
            return f"rate limited, paused for {self._until - now:.1f} s"
        if self._ramp is not None and (wait := self._ramp.ready_at(now) - now) > 0:
            return f"rate limited a moment ago, next call in {wait:.1f} s"
        return self.rates.pause_reason(now)

    def resumes_at(self, now: float) -> float:
        """Return when time alone allows a call, or infinity."""
        if now < self._until:
            return self._until
        at = self._ramp.ready_at(now) if self._ramp is not None else now
        return min(at if at > now else inf, self.rates.resumes_at(now))

    def reserve(self, charge: Charge, now: float) -> None:
        """Count a call; the first after a pause are spread."""
        self.rates.reserve(charge, now)
        if self._ramp is None:
            return
        if now >= self._until + RAMP_S:
            self._ramp = None
        else:
            self._ramp.use(1.0, now)

    def pause(self, now: float, began: float, retry_after_s: float | None, permits: int) -> None:
        """Pause as the provider asked, else for a growing time; then spread permits."""
        self.limited = True
        before = self._backoff.until
        if self._backoff.extend(now, began, retry_after_s):
            self.rates.be_cautious()
        if self._backoff.until == before:
            return
        longest = min(max((self._backoff.until - now) * JITTER, _LEAST_JITTER_S), _MOST_JITTER_S)
        self._until = self._backoff.until + self._jitter() * longest
        self._ramp = TokenBucket(permits * MINUTE_S / RAMP_S, "calls", burst_s=0.0)

    def succeeded(self, usage: Usage | None, began: float) -> None:
        """Reset the next pause's length; update `usual_output`."""
        self._backoff.clear(began)
        if usage is not None:
            self.usual_output += _LATEST_WEIGHT * (usage.output_tokens - self.usual_output)

    def observe(self, rate: RateHeaders, now: float, began: float) -> None:
        """Adopt a reply's limits, unless a call begun later has reported."""
        if began >= self._observed_from:
            self.limited = True
            self._observed_from = began
            self.rates.observe(rate, now)


def rate_class_of(card: ModelCard, provider: ProviderSettings) -> str:
    """Return a model's rate class; empty for the account's only one."""
    if card.limit_class is not None:
        return card.limit_class
    if provider.wire != "anthropic":
        return ""
    words = [word for word in card.id.split("-") if word.isalpha() and word not in {"claude", "latest"}]
    return words[0] if words else card.id
