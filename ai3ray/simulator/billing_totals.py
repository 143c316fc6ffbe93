"""Sums over the ledger, kept up to date by each call, so that asking for them is cheap. Money is counted in ticks."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Protocol

from ai3ray.simulator.pricing import TICKS_PER_USD

_OK = 200


class EndedCall(Protocol):
    """What a call was, once it has ended."""

    status: int
    complete: bool
    cancelled: bool
    input_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    output_tokens: int


@dataclass(slots=True)
class CallSums:
    """Sums of some calls."""

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
        """A call has come."""
        self.calls += 1
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)

    def end(self, call: EndedCall, ticks: int) -> None:
        """A call has ended."""
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
        """The sums by name, money in US dollars."""
        told = {name: getattr(self, name) for name in self.__slots__ if name != "ticks"}
        return {**told, "cost_usd": self.ticks / TICKS_PER_USD}


@dataclass
class BillingTotals:
    """Sums of all calls, by model and by account."""

    everything: CallSums = field(default_factory=CallSums)
    by_model: dict[str, CallSums] = field(default_factory=dict)
    by_account: dict[str, CallSums] = field(default_factory=dict)
    by_status: Counter[int] = field(default_factory=Counter)
    unfinished_ticks: int = 0
    unpriced: int = 0

    def begin(self, model: str, account: str) -> None:
        """A call has come."""
        for sums in self._sums(model, account):
            sums.begin()

    def end(self, model: str, account: str, call: EndedCall, ticks: int | None) -> None:
        """A call has ended; `ticks` is its bill, None when the model has no price."""
        for sums in self._sums(model, account):
            sums.end(call, ticks or 0)
        self.by_status[call.status] += 1
        self.unpriced += ticks is None
        if call.status == _OK and not call.complete:
            self.unfinished_ticks += ticks or 0

    def to_json(self) -> dict[str, Any]:
        """What `GET /_sim/ledger` shows as totals."""
        return {
            **self.everything.to_json(),
            "cost_unfinished_usd": self.unfinished_ticks / TICKS_PER_USD,
            "cost_complete": self.unpriced == 0,
            "by_status": {str(status): count for status, count in sorted(self.by_status.items())},
            "by_model": {model: self.by_model[model].to_json() for model in sorted(self.by_model)},
            "by_account": {account: self.by_account[account].to_json() for account in sorted(self.by_account)},
        }

    def _sums(self, model: str, account: str) -> tuple[CallSums, CallSums, CallSums]:
        by_model = self.by_model.get(model) or self.by_model.setdefault(model, CallSums())
        by_account = self.by_account.get(account) or self.by_account.setdefault(account, CallSums())
        return self.everything, by_model, by_account
