"""One provider account: its permits, its Retry-After clock, its breaker."""

from __future__ import annotations

from collections.abc import Iterator

from ai3ray.domain.call import ErrorInfo
from ai3ray.pool.backoff import Backoff
from ai3ray.pool.buckets import Allowance
from ai3ray.pool.faults import FaultRule
from ai3ray.settings import ProviderSettings

TRIP_AFTER = 5
"""Failures in a row that open the breaker."""


class Account:
    """What a provider can take at the moment.

    Closed, the breaker lets calls through. TRIP_AFTER failures in a row open it for a while; then one
    call goes ahead as a probe, and closes it or opens it for longer. A refused key or a spent quota
    takes the provider out: waiting does not mend it, but its owner may have, so each new run has it
    probed once.

    Args:
        limit: calls in flight allowed.
        key_variable: the variable that holds its key, for messages.
        rates: what it allows per minute; no such limits when absent.
    """

    def __init__(self, name: str, limit: int, key_variable: str | None = None, rates: Allowance | None = None) -> None:
        self.name = name
        self.limit = limit
        self.key_variable = key_variable
        self.in_flight = 0
        self.failure: ErrorInfo | None = None
        """Why it is out, or was when it is being probed."""
        self.failed_at = 0.0
        """When it was taken out."""
        self.rates = rates or Allowance(ProviderSettings())
        self._rate = Backoff(base_s=1.0, cap_s=30.0, floor_s=0.1)
        self._outage = Backoff(base_s=5.0, cap_s=60.0)
        self._failures = 0
        self._open = False
        self._second_chance = False
        self._probing = False

    @property
    def out(self) -> bool:
        """Not called any more, and not about to be probed."""
        return self.failure is not None and not self._second_chance

    @property
    def load(self) -> float:
        """Share of the permits given out, 0 to 1."""
        return min(1.0, self.in_flight / self.limit)

    def held_back(self, now: float) -> str | None:
        """Why it cannot be called at this moment; None when it can."""
        if self._probing:
            return "one call tries whether it works again"
        if self._open and now < self._outage.until:
            return f"failing, left alone for {self._outage.until - now:.1f} s"
        if now < self._rate.until:
            return f"rate limited, left alone for {self._rate.until - now:.1f} s"
        if self.in_flight >= self.limit:
            return f"busy with {self.in_flight} of {self.limit} calls"
        return self.rates.held_back(now)

    def pauses(self, now: float) -> Iterator[float]:
        """When time alone lets it be called again."""
        yield from self.rates.pauses(now)
        yield self._rate.until
        if self._open:
            yield self._outage.until

    def take(self) -> bool:
        """Give out a permit; true when its call is a probe."""
        self.in_flight += 1
        self._probing = self._open or self._second_chance
        return self._probing

    def give_back(self, *, probe: bool) -> None:
        """A permit is returned, whatever became of its call."""
        self.in_flight -= 1
        if probe:
            self._probing = False

    def succeeded(self, *, probe: bool) -> None:
        """A call was answered. Only a probe brings back a provider that is out."""
        self._failures = 0
        self._open = False
        self._rate.clear()
        self._outage.clear()
        if probe:
            self.failure = None
            self._second_chance = False

    def failed(self, fault: FaultRule, error: ErrorInfo, now: float, began: float, told_s: float | None) -> None:
        """A call failed.

        Args:
            fault: what follows from this kind of failure.
            error: the failure.
            now: seconds of the pool's clock.
            began: when the call was begun.
            told_s: seconds the provider asked us to wait.
        """
        if fault.breaker == "out":
            self.failure, self.failed_at = error, now
            self._second_chance = False
            return
        if fault.freeze or told_s is not None:
            self._rate.strike(now, began, told_s)
        if fault.breaker == "count":
            self._failures += 1
            if self._open or self._failures >= TRIP_AFTER:
                self._open = True
                self._outage.strike(now, began)

    def new_run(self) -> bool:
        """A run begins: what took the provider out may have been mended, so one call may try. True when it was out."""
        was_out = self.out
        self._second_chance = self.failure is not None
        return was_out
