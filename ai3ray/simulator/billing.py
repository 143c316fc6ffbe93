"""What was asked of the simulator, and what it billed: the ground truth of tests about cost and concurrency."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from ai3ray.simulator.billing_totals import BillingTotals
from ai3ray.simulator.pricing import TICKS_PER_USD, UsedTokens
from ai3ray.simulator.simulator_settings import SimulatorSettings
from ai3ray.simulator.wires.parsed_request import ParsedRequest


@dataclass(slots=True)
class BilledCall:
    """One request as it was served. Times are seconds since the epoch."""

    n: int
    """Which request since the last reset, from 1."""
    request_id: str
    """The id that the reply carried."""
    provider: str
    """The vendor."""
    model: str
    """The model."""
    role: str
    """What it was probably for: plan, judge or task."""
    stream: bool
    """Whether a stream was asked for."""
    prompt_chars: int
    """Length of all that the model had to read, in characters."""
    started: float
    """When the request was there."""
    account: str = ""
    """The vendor's account: its name and a few digits of the key's hash."""
    status: int = 0
    """HTTP status of the reply; 0 when there was none."""
    fault: str | None = None
    """The fault that struck it."""
    input_tokens: int = 0
    """Billed input, cached parts included; 0 when it was refused."""
    cached_tokens: int = 0
    """The part of it that came from the vendor's cache."""
    cache_write_tokens: int = 0
    """The part of it that went into the vendor's cache."""
    output_tokens: int = 0
    """Billed output, reasoning included: what was sent, when it was cut short."""
    cost_usd: float | None = 0.0
    """The bill in US dollars; None when the model has no price."""
    first_token: float | None = None
    """When the first piece was sent."""
    ended: float | None = None
    """When it was over; None while it is not."""
    complete: bool = False
    """Whether the whole answer was sent."""
    cancelled: bool = False
    """Whether the client went away before."""
    system: str = field(default="", repr=False)
    """The system prompt."""
    turns: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Role and text of each message."""


_SHOWN = tuple(name for name in BilledCall.__slots__ if name not in {"system", "turns"})
_PROMPTS = ("system", "turns")


class BillingLedger:
    """All requests since the last reset.

    Args:
        settings: where the prices are.
    """

    def __init__(self, settings: SimulatorSettings) -> None:
        self._prices = settings.prices
        self._open: dict[int, BillingTotals] = {}
        self._totals = BillingTotals()
        self.calls: list[BilledCall] = []
        """Every request, in order of arrival."""
        self.max_in_flight = 0
        """The most requests that were open at once."""
        self.idle = asyncio.Event()
        """Set while no request is open."""
        self.idle.set()
        self._arrival = asyncio.Event()

    @property
    def in_flight(self) -> int:
        """Requests that are open now."""
        return len(self._open)

    async def arrived(self, count: int) -> None:
        """Wait until there have been so many requests since the last reset."""
        while len(self.calls) < count:
            await self._arrival.wait()

    def begin(self, request: ParsedRequest, request_id: str, account: str) -> BilledCall:
        """Enter a request.

        Args:
            request: the request.
            request_id: the id that the reply will carry.
            account: the name of its account.
        """
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
        self._totals.begin(call.model, account)
        self.max_in_flight = max(self.max_in_flight, len(self._open))
        self.idle.clear()
        self._arrival.set()
        self._arrival = asyncio.Event()
        return call

    def ticks(self, model: str, used: UsedTokens) -> int | None:
        """What tokens cost, in ticks; None when the model has no price."""
        price = self._prices.get(model)
        return price.ticks(used) if price else None

    def end(self, call: BilledCall, used: UsedTokens | None) -> int | None:
        """Close a request and write its bill; returns it in ticks.

        Args:
            call: the entry, its status set.
            used: its tokens; None when nothing is billed.
        """
        call.ended = time.time()
        ticks: int | None = 0
        if used is not None:
            call.input_tokens, call.output_tokens = used.input_tokens, used.output_tokens
            call.cached_tokens, call.cache_write_tokens = used.cache_read, used.cache_write + used.cache_write_1h
            ticks = self.ticks(call.model, used)
            call.cost_usd = None if ticks is None else ticks / TICKS_PER_USD
        totals = self._open.pop(id(call))  # those of its own time: a reset may have come between
        totals.end(call.model, call.account, call, ticks)
        if not self._open:
            self.idle.set()
        return ticks

    def reset(self) -> None:
        """Forget all requests; those that are open end unrecorded."""
        self.calls = []
        self._totals = BillingTotals()
        self.max_in_flight = len(self._open)

    def to_json(self, *, prompts: bool = False, summary: bool = False) -> dict[str, Any]:
        """What `GET /_sim/ledger` answers.

        Args:
            prompts: whether the entries carry what was asked, too.
            summary: leave the entries out: the sums were made on the way, so this is cheap.
        """
        names = _SHOWN + _PROMPTS if prompts else _SHOWN
        entries = {} if summary else {"calls": [{name: getattr(call, name) for name in names} for call in self.calls]}
        return {
            **entries,
            "totals": self._totals.to_json(),
            "in_flight": self.in_flight,
            "max_in_flight": self.max_in_flight,
        }
