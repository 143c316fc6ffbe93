"""One provider account."""

from __future__ import annotations

from collections.abc import Callable

from ai3ray.domain.call import ErrorInfo
from ai3ray.pool.account.backoff import Backoff
from ai3ray.pool.account.charge import admission_of
from ai3ray.pool.account.limiter import Limiter
from ai3ray.pool.account.rate_class import RateClass, rate_class_of
from ai3ray.pool.account.rate_limits import RateLimits
from ai3ray.pool.faults import FaultPolicy
from ai3ray.registry.cards import ModelCard
from ai3ray.settings.model import ProviderSettings, Settings

TRIP_AFTER = 5
"""Consecutive failures that open the breaker."""


class Account:
    """The state of one provider; times are seconds of the pool's clock.

    TRIP_AFTER consecutive failures open the breaker for a while; then one probe closes it or opens it for longer. A
    refused key or spent quota takes the provider out until a probe succeeds; each new run allows one, as the owner may
    have fixed it.

    Models share permits and configured limits per minute; each `RateClass` has its own pauses and reported limits.
    """

    def __init__(self, name: str, settings: Settings, now: float, jitter: Callable[[], float]) -> None:
        self.name = name
        self.settings: ProviderSettings = settings.providers[name]
        self.admission = admission_of(name, self.settings)
        self.limiter = Limiter(settings.provider_limit(name), self.settings.start)
        self.rates = RateLimits(self.admission)
        """As configured."""
        self.rates.configure(self.settings, now)
        self.rate_classes: dict[str, RateClass] = {}
        self._by_card: dict[str, RateClass] = {}
        self.failure: ErrorInfo | None = None
        """Set until a probe succeeds."""
        self.failed_at = 0.0
        self._jitter = jitter
        self._outage = Backoff(base_s=5.0, cap_s=60.0)
        self._failures = 0
        self._open = False
        self._probe_allowed = False
        self._probing = False

    @property
    def out(self) -> bool:
        """True when not even a probe is allowed."""
        return self.failure is not None and not self._probe_allowed

    def configure(self, settings: Settings, now: float) -> None:
        """Apply other limits."""
        self.settings = settings.providers.get(self.name, self.settings)
        self.limiter.configure(settings.provider_limit(self.name), self.settings.start)
        self.rates.configure(self.settings, now)
        self._by_card.clear()

    def rate_class(self, card: ModelCard) -> RateClass:
        """Return a model's class."""
        known = self._by_card.get(card.name)
        if known is None:
            name = rate_class_of(card, self.settings)
            known = self.rate_classes.setdefault(name, RateClass(self.admission, self._jitter))
            known.models.add(card.name)
            self._by_card[card.name] = known
        return known

    def pause_reason(self, now: float) -> str | None:
        """Return why the provider is paused, or None."""
        if self._probing:
            return "one call is probing whether it works again"
        if self._open and now < self._outage.until:
            return f"failing, paused for {self._outage.until - now:.1f} s"
        if self.limiter.full:
            return f"busy with {self.limiter.in_flight} of {self.limiter.limit} calls"
        return self.rates.pause_reason(now)

    def resumes_at(self, now: float) -> float:
        """Return when time alone allows a call, or infinity."""
        if self._open and now < self._outage.until:
            return self._outage.until
        limited = [rate_class for rate_class in self.rate_classes.values() if rate_class.limited]
        return min([self.rates.resumes_at(now), *[rate_class.resumes_at(now) for rate_class in limited]])

    def acquire(self) -> bool:
        """Give out a permit; return True for a probe."""
        self.limiter.acquire()
        self._probing = self._open or self._probe_allowed
        return self._probing

    def release(self, *, probe: bool) -> None:
        """Take back a permit."""
        self.limiter.release()
        if probe:
            self._probing = False

    def succeeded(self, now: float, *, probe: bool) -> None:
        """Record a success; only a probe's brings back a provider that is out."""
        self.limiter.succeeded(now)
        self._failures = 0
        self._open = False
        self._outage.clear()
        if probe:
            self.failure = None
            self._probe_allowed = False

    def failed(
        self, policy: FaultPolicy, error: ErrorInfo, now: float, began: float, retry_after_s: float | None
    ) -> None:
        """Record a failure."""
        if policy.breaker == "out":
            self.failure, self.failed_at = error, now
            self._probe_allowed = False
            return
        if policy.freeze:
            self.limiter.rate_limited(now, retry_after_s)
        if policy.breaker == "count":
            self.limiter.failed()
            self._failures += 1
            if self._open or self._failures >= TRIP_AFTER:
                self._open = True
                self._outage.extend(now, began)

    def allow_probe(self) -> bool:
        """Allow a probe if the provider is out; return whether it was."""
        was_out = self.out
        self._probe_allowed = self.failure is not None
        return was_out
