"""The ledger of requests and bills that tests of cost and concurrency compare with."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ai3ray.simulator.pricing import TICKS_PER_USD, UsedTokens
from ai3ray.simulator.simulator_settings import SimulatorSettings
from ai3ray.simulator.wires.parsed_request import ParsedRequest

_OK = 200


@dataclass(slots=True)
class BilledCall:
    """One served request. Times are seconds since the epoch."""

    n: int
    request_id: str
    provider: str
    model: str
    role: str
    """The probable purpose: plan, judge or task."""
    stream: bool
    prompt_chars: int
    started: float
    account: str = ""
    """The vendor and a few digits of the key's hash."""
    status: int = 0
    """The HTTP status; 0 without a reply."""
    fault: str | None = None
    input_tokens: int = 0
    """Billed input, cached tokens included."""
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    """Billed output, reasoning included; for an interrupted reply, the tokens sent."""
    cost_usd: float | None = 0.0
    """None when the model has no price."""
    first_token: float | None = None
    ended: float | None = None
    """None while the request is open."""
    complete: bool = False
    cancelled: bool = False
    system: str = field(default="", repr=False)
    turns: tuple[tuple[str, str], ...] = field(default=(), repr=False)


_PROMPTS = ("system", "turns")
_SHOWN = tuple(name for name in BilledCall.__slots__ if name not in _PROMPTS)


@dataclass(slots=True)
class CallSums:
    """Sums over some calls."""

    calls: int = 0
    completed: int = 0
    refused: int = 0
    disconnects: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    ticks: int = 0
    in_flight: int = 0
    max_in_flight: int = 0

    def begin(self) -> None:
        """Count a starting call."""
        self.calls += 1
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)

    def end(self, call: BilledCall, ticks: int) -> None:
        """Add an ended call."""
        self.in_flight -= 1
        self.completed += call.complete
        self.refused += call.status not in (0, _OK)
        self.disconnects += call.cancelled
        self.input_tokens += call.input_tokens
        self.cached_tokens += call.cached_tokens
        self.cache_write_tokens += call.cache_write_tokens
        self.output_tokens += call.output_tokens
        self.ticks += ticks

    def to_json(self) -> dict[str, Any]:
        """Return the sums by name, with the bill in US dollars."""
        sums = {name: getattr(self, name) for name in self.__slots__ if name != "ticks"}
        return {**sums, "cost_usd": self.ticks / TICKS_PER_USD}


@dataclass
class BillingTotals:
    """Running sums over all calls, by model and by account. Money is in ticks."""

    everything: CallSums = field(default_factory=CallSums)
    by_model: dict[str, CallSums] = field(default_factory=dict)
    by_account: dict[str, CallSums] = field(default_factory=dict)
    by_status: Counter[int] = field(default_factory=Counter)
    unfinished_ticks: int = 0
    unpriced: int = 0

    def begin(self, call: BilledCall) -> None:
        """Count a starting call."""
        for sums in self._sums(call):
            sums.begin()

    def end(self, call: BilledCall, ticks: int | None) -> None:
        """Add an ended call; `ticks` is None when the model has no price."""
        for sums in self._sums(call):
            sums.end(call, ticks or 0)
        self.by_status[call.status] += 1
        self.unpriced += ticks is None
        if call.status == _OK and not call.complete:
            self.unfinished_ticks += ticks or 0

    def to_json(self) -> dict[str, Any]:
        """Return the totals as `GET /_sim/ledger` shows them."""
        return {
            **self.everything.to_json(),
            "cost_unfinished_usd": self.unfinished_ticks / TICKS_PER_USD,
            "cost_complete": self.unpriced == 0,
            "by_status": {str(status): count for status, count in sorted(self.by_status.items())},
            "by_model": {model: self.by_model[model].to_json() for model in sorted(self.by_model)},
            "by_account": {account: self.by_account[account].to_json() for account in sorted(self.by_account)},
        }

    def _sums(self, call: BilledCall) -> tuple[CallSums, CallSums, CallSums]:
        by_model = self.by_model.get(call.model) or self.by_model.setdefault(call.model, CallSums())
        by_account = self.by_account.get(call.account) or self.by_account.setdefault(call.account, CallSums())
        return self.everything, by_model, by_account


class BillingLedger:
    """All requests since the last reset."""

    def __init__(self, settings: SimulatorSettings) -> None:
        self._prices = settings.prices
        self._open: dict[int, BillingTotals] = {}
        self._totals = BillingTotals()
        self.calls: list[BilledCall] = []
        """Every request, in order of arrival."""
        self.max_in_flight = 0
        self.idle = asyncio.Event()
        """Set while no request is open."""
        self.idle.set()
        self._arrival = asyncio.Event()

    @property
    def in_flight(self) -> int:
        """The number of open requests."""
        return len(self._open)

    async def arrived(self, count: int) -> None:
        """Wait until `count` requests have arrived since the last reset."""
        while len(self.calls) < count:
            await self._arrival.wait()

    def begin(self, request: ParsedRequest, request_id: str, account: str) -> BilledCall:
        """Record a request that has arrived."""
        call = BilledCall(
            n=len(self.calls) + 1,
            request_id=request_id,
            provider=request.vendor,
            model=request.model,
            role=request.role,
            stream=request.stream,
            prompt_chars=len(request.prompt),
            started=time.time(),
            account=account,
            system=request.system,
            turns=request.turns,
        )
        self.calls.append(call)
        self._open[id(call)] = self._totals
        self._totals.begin(call)
        self.max_in_flight = max(self.max_in_flight, len(self._open))
        self.idle.clear()
        self._arrival.set()
        self._arrival = asyncio.Event()
        return call

    def ticks(self, model: str, used: UsedTokens) -> int | None:
        """Return the price in ticks; None when the model has no price."""
        price = self._prices.get(model)
        return price.ticks(used) if price else None

    def end(self, call: BilledCall, used: UsedTokens | None) -> int | None:
        """Close a request and return its bill in ticks; without `used` nothing is billed."""
        call.ended = time.time()
        ticks: int | None = 0
        if used is not None:
            call.input_tokens, call.output_tokens = used.input_tokens, used.output_tokens
            call.cached_tokens, call.cache_write_tokens = used.cache_read, used.cache_write + used.cache_write_1h
            ticks = self.ticks(call.model, used)
            call.cost_usd = None if ticks is None else ticks / TICKS_PER_USD
        totals = self._open.pop(id(call))  # the totals in force when it began: a reset may have replaced them
        totals.end(call, ticks)
        if not self._open:
            self.idle.set()
        return ticks

    def reset(self) -> None:
        """Forget all requests; open ones end unrecorded."""
        self.calls = []
        self._totals = BillingTotals()
        self.max_in_flight = len(self._open)

    def to_json(self, *, prompts: bool = False, summary: bool = False) -> dict[str, Any]:
        """Return the body of `GET /_sim/ledger`; a summary omits the calls and is cheap."""
        names = _SHOWN + _PROMPTS if prompts else _SHOWN
        entries = {} if summary else {"calls": [{name: getattr(call, name) for name in names} for call in self.calls]}
        return {
            **entries,
            "totals": self._totals.to_json(),
            "in_flight": self.in_flight,
            "max_in_flight": self.max_in_flight,
        }
