"""One provider account: its permits, its limits per minute, its breaker."""

from __future__ import annotations

from collections.abc import Callable

from ai3ray.domain.call import ErrorInfo
from ai3ray.pool.account.backoff import Backoff
from ai3ray.pool.account.charge import admission_of
from ai3ray.pool.account.limiter import Limiter
from ai3ray.pool.account.rate_class import RateClass, rate_class_of
from ai3ray.pool.account.rate_limits import RateLimits
from ai3ray.pool.faults import FaultRule
from ai3ray.registry.cards import ModelCard
from ai3ray.settings.model import ProviderSettings, Settings

TRIP_AFTER = 5
"""Failures in a row that open the breaker."""


class Account:
    """What a provider can take at the moment.

    Closed, the breaker lets calls through. TRIP_AFTER failures in a row open it for a while; then one
    call goes ahead as a probe, and closes it or opens it for longer. A refused key or a spent quota
    takes the provider out: waiting does not mend it, but its owner may have, so each new run has it
    probed once.

    Its models share the permits, and the limits per minute of the settings. The Retry-After clock, and limits
    that replies tell, belong to a class of models each (`RateClass`): what one has used up is no matter to the others.

    Args:
        name: the provider's name in the configuration.
        settings: limits.
        now: seconds of the pool's clock.
        jitter: numbers from 0 to 1, random ones outside of tests.
    """

    def __init__(self, name: str, settings: Settings, now: float, jitter: Callable[[], float]) -> None:
        self.name = name
        self.settings: ProviderSettings = settings.providers[name]
        self.admission = admission_of(name, self.settings)
        """How the provider counts calls."""
        self.limiter = Limiter(settings.provider_limit(name), self.settings.start)
        self.rates = RateLimits(self.admission)
        """The limits per minute of the settings."""
        self.rates.configure(self.settings, now)
        self.rate_classes: dict[str, RateClass] = {}
        """Classes of models, by name."""
        self._by_card: dict[str, RateClass] = {}
        self.failure: ErrorInfo | None = None
        """Why it is out, or was when it is being probed."""
        self.failed_at = 0.0
        """When it was taken out."""
        self._jitter = jitter
        self._outage = Backoff(base_s=5.0, cap_s=60.0)
        self._failures = 0
        self._open = False
        self._probe_allowed = False
        self._probing = False

    @property
    def out(self) -> bool:
        """Not called any more, and not about to be probed."""
        return self.failure is not None and not self._probe_allowed

    def configure(self, settings: Settings, now: float) -> None:
        """Put other limits into force; calls above a lower one end in their own time."""
        self.settings = settings.providers.get(self.name, self.settings)
        self.limiter.configure(settings.provider_limit(self.name), self.settings.start)
        self.rates.configure(self.settings, now)
        self._by_card.clear()

    def rate_class(self, card: ModelCard) -> RateClass:
        """The class of models that this one is in."""
        known = self._by_card.get(card.name)
        if known is None:
            name = rate_class_of(card, self.settings)
            known = self._by_card[card.name] = self.rate_classes.setdefault(
                name, RateClass(self.admission, self._jitter)
            )
            known.models.add(card.name)
        return known

    def pause_reason(self, now: float) -> str | None:
        """Why it cannot be called at this moment; None when it can."""
        if self._probing:
            return "one call tries whether it works again"
        if self._open and now < self._outage.until:
            return f"failing, left alone for {self._outage.until - now:.1f} s"
        if self.limiter.full:
            return f"busy with {self.limiter.in_flight} of {self.limiter.limit} calls"
        return self.rates.pause_reason(now)

    def resumes_at(self, now: float) -> float:
        """When time alone lets something be called that cannot be now; never, if there is no such thing."""
        if self._open and now < self._outage.until:
            return self._outage.until
        return min(
            [
                self.rates.resumes_at(now),
                *[rate_class.resumes_at(now) for rate_class in self.rate_classes.values() if rate_class.told],
            ]
        )

    def take(self) -> bool:
        """Give out a permit; true when its call is a probe."""
        self.limiter.take()
        self._probing = self._open or self._probe_allowed
        return self._probing

    def release(self, *, probe: bool) -> None:
        """A permit is returned, whatever became of its call."""
        self.limiter.release()
        if probe:
            self._probing = False

    def succeeded(self, now: float, *, probe: bool) -> None:
        """A call was answered. Only a probe brings back a provider that is out."""
        self.limiter.clean(now)
        self._failures = 0
        self._open = False
        self._outage.clear()
        if probe:
            self.failure = None
            self._probe_allowed = False

    def failed(self, fault: FaultRule, error: ErrorInfo, now: float, began: float, retry_after_s: float | None) -> None:
        """A call failed.

        Args:
            fault: what follows from this kind of failure.
            error: the failure.
            now: seconds of the pool's clock.
            began: when the call was begun.
            retry_after_s: seconds the provider asked us to wait.
        """
        if fault.breaker == "out":
            self.failure, self.failed_at = error, now
            self._probe_allowed = False
            return
        if fault.freeze:
            self.limiter.limited(now, retry_after_s)
        if fault.breaker == "count":
            self.limiter.fault()
            self._failures += 1
            if self._open or self._failures >= TRIP_AFTER:
                self._open = True
                self._outage.extend(now, began)

    def allow_probe(self) -> bool:
        """A run begins: what took the provider out may have been mended, so one call may try. True when it was out."""
        was_out = self.out
        self._probe_allowed = self.failure is not None
        return was_out
