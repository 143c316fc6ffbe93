"""All limits per minute that hold together for a call: of requests, of tokens, of input, of output."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from ai3ray.domain.call import RateHeaders, RateWindow
from ai3ray.pool.account.buckets import MINUTE_S, RateMeter, RequestPacer, TokenBucket
from ai3ray.pool.account.charge import Charge
from ai3ray.settings.model import Admission, ProviderSettings

LONGEST_RESET_S = 120.0
"""What takes longer to be whole again is no limit per minute, even one that has gone into debt."""
MOST_CAUTION = 8.0
_CALM = 0.999
"""What a reply leaves of the caution that refusals have taught."""
_UNITS = {"requests": "requests", "tokens": "tokens", "input": "input tokens", "output": "output tokens"}


class RateLimits:
    """Limits that were configured, or that replies have told; a limit that nobody named does not exist.

    Args:
        admission: how the provider counts.
    """

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._meters: dict[str, RateMeter] = {}
        self._caution = 1.0

    def configure(self, provider: ProviderSettings, now: float) -> None:
        """Put the limits of a provider's settings into force; what was used under others stays used."""
        rates = {"requests": provider.rpm, "tokens": provider.tpm, "input": provider.itpm, "output": provider.otpm}
        for name, rate in rates.items():
            if rate is None:
                self._meters.pop(name, None)
            elif name in self._meters:
                self._meters[name].change(rate, now)
            else:
                self._meters[name] = self._meter(name, rate)

    def hear(self, told: RateHeaders, now: float) -> None:
        """A reply told the limits and what is left of them; those of a day are left to the provider's refusals."""
        self._caution = max(1.0, self._caution * _CALM)
        for name, window in _windows(told):
            if (window.reset_s or 0.0) > LONGEST_RESET_S:
                continue
            if name not in self._meters:
                if not window.limit:
                    continue
                self._meters[name] = self._meter(name, window.limit, MINUTE_S)
            self._meters[name].told(window, self._caution, now)

    def refused(self) -> None:
        """The provider refused a call all the same: from now on more is left alone, and little by little less again."""
        if self._meters:
            self._caution = min(MOST_CAUTION, self._caution * 2.0)

    def pause_reason(self, now: float) -> str | None:
        """Which limit is used up; None when a call may be let through."""
        for meter in self._meters.values():
            wait = meter.ready_at(now) - now
            if wait > 0:
                return f"its {meter.unit} per minute are used up for {wait:.1f} s"
        return None

    def resumes_at(self, now: float) -> float:
        """When the first of the limits that are used up lets a call through again; never, if none is."""
        if not self._meters:
            return inf
        return min([at if (at := meter.ready_at(now)) > now else inf for meter in self._meters.values()])

    def reserve(self, charge: Charge, now: float) -> None:
        """A call is let through."""
        if self._meters:
            self._use(1, charge, now)

    def correct(self, charge: Charge, final: Charge, now: float) -> None:
        """A call has ended: what it really counts for stands in for what was reserved."""
        if self._meters and final != charge:
            self._use(0, Charge(*(real - taken for real, taken in zip(final, charge, strict=True))), now)

    def _use(self, requests: int, charge: Charge, now: float) -> None:
        for name, amount in (("requests", requests), *charge._asdict().items()):
            if amount and name in self._meters:
                self._meters[name].use(amount, now)

    def _meter(self, name: str, per_minute: int, burst_s: float | None = None) -> RateMeter:
        if name == "requests" and self._admission == "paced":
            return RequestPacer(per_minute, _UNITS[name])
        return (
            TokenBucket(per_minute, _UNITS[name]) if burst_s is None else TokenBucket(per_minute, _UNITS[name], burst_s)
        )


def _windows(told: RateHeaders) -> Iterator[tuple[str, RateWindow]]:
    """The limits that a reply told, each once.

    Anthropic's `tokens` shows whichever limit is the tightest: it is one of its own only where it is no other's, or
    where all three are the same one.
    """
    sides = {"input": told.input_tokens, "output": told.output_tokens}
    limits = {window.limit for window in sides.values() if window is not None}
    if told.requests is not None:
        yield "requests", told.requests
    if told.tokens is not None and (told.tokens.limit not in limits or len(limits) == 1):
        yield "tokens", told.tokens
    for name, window in sides.items():
        if window is not None:
            yield name, window
