"""The rate limits of one account, counted as its vendor counts, with the clock passed in.

The HTTP simulator and the benches in virtual time share this class:

    limits = VendorLimits("anthropic", Limits(rpm=60, itpm=30_000), now=0.0)
    call = AdmittedCall(input_tokens=900, max_tokens=1024)
    rejection = limits.admit(now, call)                     # None: admitted
    limits.finish(later, call, TokensSpent(900, output_tokens=200))
    limits.headers(later)                                   # as on the reply
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from ai3ray.simulator.limits.limit_meters import GrowthLimit, LimitMeter, RefillingBucket, RequestSpacing
from ai3ray.simulator.limits.limit_settings import Limits
from ai3ray.simulator.vendors import VendorName
from ai3ray.simulator.wires.rate_headers import anthropic_headers, openai_headers

Bound = Literal["spend", "concurrency", "ramp", "requests", "tokens", "input_tokens", "output_tokens"]
_BY_SECOND = "requests by the second"

_BOUNDS: dict[str, Bound] = {
    "requests": "requests",
    _BY_SECOND: "requests",
    "tokens": "tokens",
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
}
_CODES: dict[tuple[VendorName, Bound], str] = {
    ("anthropic", "ramp"): "ramp_limit_exceeded",
    ("anthropic", "spend"): "enforced_spend_limit_reached",
    ("openai", "ramp"): "slow_down",
    ("openai", "spend"): "organization_spend_limit_exceeded",
}
_USUAL_CODE: dict[VendorName, str | None] = {
    "anthropic": None,
    "openai": "rate_limit_exceeded",
    "xai": "Some resource has been exhausted",
}
_BUSY_WAIT_S = 1.0
"""Announced when too many calls are open; a vendor cannot predict when one ends."""


@dataclass(frozen=True, eq=False, slots=True)
class AdmittedCall:
    """One request as its limits count it. Pass the same object to every method."""

    input_tokens: int
    """The whole prompt, estimated at the start."""
    max_tokens: int | None = None
    """The cap of the answer; None without one."""
    cached_tokens: int = 0
    """Input to be read from the vendor's cache."""


@dataclass(frozen=True, slots=True)
class TokensSpent:
    """The tokens that a call has used."""

    input_tokens: int
    """The whole prompt."""
    cached_tokens: int = 0
    output_tokens: int = 0
    """All output, reasoning and recorded tokens included."""
    cost_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class Rejection:
    """A reason for answering 429."""

    bound: Bound
    code: str | None
    """The vendor's error code; None for Anthropic's buckets."""
    retry_after: float | None
    """Exact seconds to wait; None for a spend limit, where waiting does not help."""
    message: str


class VendorLimits:
    """The limits of one account.

    Anthropic counts requests, uncached input (estimated, then corrected) and output as it is written; the cap does not
    count. OpenAI counts requests, refused ones included, and up front the larger of cap and estimate, never given
    back. xAI counts requests by the second and all tokens, reasoning included. Sources: the vendors' rate limit pages.

    Args:
        vendor: the vendor to count as.
        limits: the limits.
        now: the clock, in monotonic seconds.
        epoch: seconds since 1970 when that clock showed 0, for the dates in headers.
    """

    def __init__(self, vendor: VendorName, limits: Limits, now: float = 0.0, *, epoch: float = 0.0) -> None:
        self.vendor: VendorName = vendor
        self.limits = limits
        self.in_flight = 0
        """Open calls."""
        self.spent_usd = 0.0
        """The cost of ended calls."""
        self.refused: dict[str, int] = {}
        """The number of rejections by limit."""
        self._epoch = epoch
        self._written: dict[AdmittedCall, int] = {}
        self._meters: dict[str, LimitMeter] = {}
        self._growth: list[tuple[GrowthLimit, bool]] = []
        self._meters = dict(self._fresh(now))
        self._growth = list(self._fresh_growth(now))

    def admit(self, now: float, call: AdmittedCall) -> Rejection | None:
        """Admit a call, or return why not.

        Returns:
            None when admitted: the caller must call `finish`. After a rejection nothing was used, except that OpenAI
            counts a refused request.
        """
        # 1. The first exceeded limit rejects the call.
        rejection = self._rejection(now, call)
        if rejection is not None:
            self.refused[rejection.bound] = self.refused.get(rejection.bound, 0) + 1
            self.record_refusal(now)
            return rejection
        # 2. An admitted call uses its estimate up front.
        for name, amount, _ in self._charges(call):
            self._meters[name].take(now, amount)
        for growth, by_request in self._growth:
            growth.take(now, 1 if by_request else self._estimate(call))
        self._written[call] = 0
        self.in_flight += 1
        return None

    def record_output(self, now: float, call: AdmittedCall, tokens: int) -> None:
        """Count output as it is written, where the vendor does."""
        self._written[call] += tokens
        self._count_output(now, tokens)

    def finish(self, now: float, call: AdmittedCall, spent: TokensSpent | None = None) -> None:
        """Correct the count of an ended call.

        Args:
            now: the clock, in seconds.
            call: the admitted call.
            spent: None when it failed before the vendor read anything.
        """
        self.in_flight -= 1
        written = self._written.pop(call)
        # 1. A call that failed before the vendor read anything used only the output written.
        spent = spent or TokensSpent(0, output_tokens=written)
        self.spent_usd += spent.cost_usd
        if self.vendor == "openai":
            return
        # 2. Correct the estimated input; OpenAI does not.
        error = self._counted(spent.input_tokens, spent.cached_tokens) - self._estimate(call)
        for bound in ("input_tokens", "tokens"):
            if bound in self._meters:
                self._meters[bound].take(now, error)
        # 3. Count the output that was not counted while it was written.
        self._count_output(now, spent.output_tokens - written)

    def record_refusal(self, now: float) -> None:
        """Count a request refused for any reason; only OpenAI does."""
        if self.vendor == "openai":
            meter = self._meters["requests"]
            meter.take(now, min(1.0, meter.left(now)))

    def headers(self, now: float) -> dict[str, str]:
        """Return the rate headers of a reply, without `retry-after`."""
        if self.vendor == "anthropic":
            return anthropic_headers(self._meters, now, self._epoch)
        return openai_headers(self._meters, now)

    def change(self, now: float, limits: Limits) -> None:
        """Replace the limits; past use still counts, and open calls go on."""
        before, self.limits = self.limits, limits
        kept = self._meters if limits.burst_s == before.burst_s else {}
        self._meters = dict(self._fresh(now))
        for name in kept.keys() & self._meters.keys():
            kept[name].change(now, self._meters[name].per_minute)
            self._meters[name] = kept[name]
        if limits.ramp != before.ramp:
            self._growth = list(self._fresh_growth(now))

    def state(self, now: float) -> dict[str, Any]:
        """Return the account's part of `GET /_sim/limits`."""
        meters = {
            bound: {
                "per_minute": meter.per_minute,
                "left": round(meter.left(now), 3),
                "reset_s": round(meter.reset_s(now), 3),
            }
            for bound, meter in self._meters.items()
        }
        return {
            "limits": self.limits.model_dump(mode="json", exclude_none=True),
            "in_flight": self.in_flight,
            "spent_usd": round(self.spent_usd, 10),
            "refused": dict(self.refused),
            "meters": meters,
            "ramp_per_minute": [growth.allowed for growth, _ in self._growth],
        }

    def _rejection(self, now: float, call: AdmittedCall) -> Rejection | None:
        limits = self.limits
        if limits.spend_usd is not None and self.spent_usd >= limits.spend_usd:
            return self._rejected("spend", None, f"the spend limit of {limits.spend_usd:g} USD is reached")
        if self.in_flight >= limits.concurrency:
            words = f"more than {limits.concurrency} concurrent requests"
            return self._rejected("concurrency", _BUSY_WAIT_S, words)
        for growth, by_request in self._growth:
            wait_s = growth.wait_s(now, 1 if by_request else self._estimate(call))
            if wait_s > 0:
                return self._rejected("ramp", wait_s, "your use grows too fast: scale up gradually")
        for name, _, need in self._charges(call):
            meter = self._meters[name]
            wait_s = meter.wait_s(now, need)
            if wait_s > 0:
                unit = name.replace("_", " ")
                words = f"the limit of {meter.per_minute:.0f} {unit} per minute is reached"
                return self._rejected(_BOUNDS[name], wait_s, words)
        return None

    def _rejected(self, bound: Bound, retry_after: float | None, message: str) -> Rejection:
        code = _CODES.get((self.vendor, bound), _USUAL_CODE[self.vendor])
        return Rejection(bound, code, retry_after, message)

    def _charges(self, call: AdmittedCall) -> Iterator[tuple[str, float, float]]:
        """Yield the meters that a call uses at the start, the amount, and the amount that must be left."""
        yield "requests", 1, 1
        if self.vendor == "xai":
            yield _BY_SECOND, 1, 1
        estimate = self._estimate(call)
        if self.vendor == "openai":
            estimate = max(call.max_tokens or 0, call.input_tokens)
        yield "tokens", estimate, estimate
        if "input_tokens" in self._meters:
            yield "input_tokens", estimate, estimate
        if "output_tokens" in self._meters:
            yield "output_tokens", 0, 1

    def _estimate(self, call: AdmittedCall) -> int:
        return self._counted(call.input_tokens, call.cached_tokens)

    def _counted(self, input_tokens: int, cached_tokens: int) -> int:
        """Return the input that counts; Anthropic does not count tokens read from its cache."""
        return input_tokens - cached_tokens if self.vendor == "anthropic" else input_tokens

    def _count_output(self, now: float, tokens: int) -> None:
        if self.vendor == "openai" or not tokens:
            return
        self._meters["tokens"].take(now, tokens)
        if "output_tokens" in self._meters:
            self._meters["output_tokens"].take(now, tokens)

    def _fresh(self, now: float) -> Iterator[tuple[str, LimitMeter]]:
        limits = self.limits
        yield "requests", RefillingBucket(limits.rpm, now, limits.burst_s)
        if self.vendor == "xai":
            yield _BY_SECOND, RequestSpacing(limits.rpm)
        yield "tokens", RefillingBucket(limits.tpm, now, limits.burst_s)
        if self.vendor == "anthropic":
            if limits.itpm is not None:
                yield "input_tokens", RefillingBucket(limits.itpm, now, limits.burst_s)
            if limits.otpm is not None:
                yield "output_tokens", RefillingBucket(limits.otpm, now, limits.burst_s)

    def _fresh_growth(self, now: float) -> Iterator[tuple[GrowthLimit, bool]]:
        ramp = self.limits.ramp
        if ramp is None:
            return
        if ramp.requests is not None:
            yield GrowthLimit(ramp.requests, ramp.growth, ramp.window_s, now), True
        if ramp.tokens is not None:
            yield GrowthLimit(ramp.tokens, ramp.growth, ramp.window_s, now), False
