"""The limits per minute of one account or class."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from ai3ray.domain.call import RateHeaders, RateWindow
from ai3ray.pool.account.buckets import BURST_S, MINUTE_S, RateMeter, RequestPacer, TokenBucket
from ai3ray.pool.account.charge import Charge
from ai3ray.settings.model import Admission, ProviderSettings

LONGEST_RESET_S = 120.0
"""Longest recovery, in seconds, of a limit that counts as per minute."""
MOST_CAUTION = 8.0
_CALM = 0.999
"""Factor by which each reply reduces caution."""
_UNITS = {"requests": "requests", "tokens": "tokens", "input": "input tokens", "output": "output tokens"}


class RateLimits:
    """Limits on requests, tokens, input and output."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._meters: dict[str, RateMeter] = {}
        self._caution = 1.0

    def configure(self, provider: ProviderSettings, now: float) -> None:
        """Apply a provider's limits; what is used stays used."""
        rates = {"requests": provider.rpm, "tokens": provider.tpm, "input": provider.itpm, "output": provider.otpm}
        for name, rate in rates.items():
            if rate is None:
                self._meters.pop(name, None)
            elif name in self._meters:
                self._meters[name].change(rate, now)
            else:
                self._meters[name] = self._meter(name, rate, BURST_S)

    def observe(self, rate: RateHeaders, now: float) -> None:
        """Adopt a reply's limits per minute; daily ones are left to refusals."""
        self._caution = max(1.0, self._caution * _CALM)
        for name, window in _windows(rate):
            if (window.reset_s or 0.0) > LONGEST_RESET_S:
                continue
            if name not in self._meters:
                if not window.limit:
                    continue
                self._meters[name] = self._meter(name, window.limit, MINUTE_S)
            self._meters[name].observe(window, self._caution, now)

    def be_cautious(self) -> None:
        """Leave more unused after a refusal; replies gradually undo it."""
        if self._meters:
            self._caution = min(MOST_CAUTION, self._caution * 2.0)

    def pause_reason(self, now: float) -> str | None:
        """Return which limit is used up, or None."""
        for meter in self._meters.values():
            wait = meter.ready_at(now) - now
            if wait > 0:
                return f"its {meter.unit} per minute are used up for {wait:.1f} s"
        return None

    def resumes_at(self, now: float) -> float:
        """Return when the first used-up limit allows a call again, or infinity."""
        if not self._meters:
            return inf
        return min([at if (at := meter.ready_at(now)) > now else inf for meter in self._meters.values()])

    def reserve(self, charge: Charge, now: float) -> None:
        """Count a call."""
        if self._meters:
            self._use(1, charge, now)

    def correct(self, charge: Charge, final: Charge, now: float) -> None:
        """Replace a reservation with the final charge."""
        if self._meters and final != charge:
            self._use(0, Charge(*(real - taken for real, taken in zip(final, charge, strict=True))), now)

    def _use(self, requests: int, charge: Charge, now: float) -> None:
        for name, amount in (("requests", requests), *charge._asdict().items()):
            if amount and name in self._meters:
                self._meters[name].use(amount, now)

    def _meter(self, name: str, per_minute: int, burst_s: float) -> RateMeter:
        if name == "requests" and self._admission == "paced":
            return RequestPacer(per_minute, _UNITS[name])
        return TokenBucket(per_minute, _UNITS[name], burst_s)


def _windows(rate: RateHeaders) -> Iterator[tuple[str, RateWindow]]:
    """Yield the distinct limits of a reply.

    Anthropic's `tokens` repeats the tightest limit: it counts only if its limit differs from input and output, or all
    three are equal.
    """
    sides = {"input": rate.input_tokens, "output": rate.output_tokens}
    limits = {window.limit for window in sides.values() if window is not None}
    if rate.requests is not None:
        yield "requests", rate.requests
    if rate.tokens is not None and (rate.tokens.limit not in limits or len(limits) == 1):
        yield "tokens", rate.tokens
    for name, window in sides.items():
        if window is not None:
            yield name, window
