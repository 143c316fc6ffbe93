"""The ledger: a budget per run and per UTC day, and each owner's daily spending.

A `Quote` names three costs of a call: least, expected and most. A call in flight holds its most until its real cost
replaces it. The rules, for each budget of a call:

1. A model suits while its expected cost fits beside what is spent and what calls in flight are expected to take. While
   any suits, no other is called: scarce money moves work to cheaper models before it stops work.
2. A call begins when its expected cost fits beside all that is spent and held. Else it waits for a settlement, as more
   is held than will be spent.
3. When no model suits and nothing is in flight, the cheapest whose least could still fit is called: the expectation may
   be too high. Optional calls, of a judge or a merge, do not stretch a budget so.
4. When no model's least fits into what is not spent, the call is over budget for good.

So `spent + held <= cap + max(most)`; the price is fewer calls at once near a budget's end. A call of unknown bill (dead
runner, cut stream) counts with its most. A free model is never over budget.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import date
from typing import NamedTuple

TOLERANCE_USD = 1e-9
"""Amounts that differ by less are equal: sums of floats err."""


class Quote(NamedTuple):
    """The possible costs of one call, in US dollars."""

    least: float
    expected: float
    most: float
    """Twice the estimated prompt, and an answer as long as its cap."""

    @property
    def free(self) -> bool:
        """True when the call costs nothing."""
        return not self.most


_UNKNOWN = Quote(0.0, 0.0, 0.0)


class Affordable(NamedTuple):
    """The models that a request may use."""

    allowed: frozenset[str]
    """Now or after a settlement; empty when over budget."""
    ready: frozenset[str]
    """Now."""


class Budget:
    """One budget, in US dollars."""

    def __init__(self, cap: float, spent: float = 0.0) -> None:
        self.cap = cap
        self.spent = spent
        """Settled costs, unknown ones at their most."""
        self.held = 0.0
        """The most that calls in flight can cost."""
        self._expected = 0.0
        self._calls = 0

    @property
    def idle(self) -> bool:
        """True when no call is in flight."""
        return not self._calls

    @property
    def left(self) -> float:
        """Negative if the last call cost more than was left."""
        return self.cap - self.spent

    def affords(self, quote: Quote) -> bool:
        """Return True if the call fits beside settled costs alone."""
        return quote.free or quote.least <= self.left + TOLERANCE_USD

    def suits(self, quote: Quote) -> bool:
        """Return True if rule 1 holds."""
        return quote.free or quote.expected <= self.left - self._expected + TOLERANCE_USD

    def admits(self, quote: Quote) -> bool:
        """Return True if the call may begin, by rule 2 or 3."""
        alone = self.idle and self.affords(quote)
        return quote.free or alone or quote.expected <= self.left - self.held + TOLERANCE_USD

    def hold(self, quote: Quote) -> None:
        """Hold a call's money."""
        self._calls += 1
        self.held += quote.most
        self._expected += quote.expected

    def release(self, quote: Quote, paid: float) -> None:
        """Replace a call's held amount with its cost."""
        self._calls -= 1
        self.held = self.held - quote.most if self._calls else 0.0
        self._expected = self._expected - quote.expected if self._calls else 0.0
        self.spent += paid


class _Reservation(NamedTuple):
    quote: Quote
    budgets: tuple[Budget, ...]
    owner: str
    day: date


class BudgetLedger:
    """All budgets. A call's cost belongs to the UTC day on which it began."""

    def __init__(self, today: Callable[[], date], day_cap: float | None = None) -> None:
        self._today = today
        self._day_cap = day_cap
        self._runs: dict[str, Budget] = {}
        self._owners: dict[str, str] = {}
        self._reserved: dict[str, _Reservation] = {}
        self._day = today()
        self._day_budget = Budget(day_cap) if day_cap is not None else None
        self._by_owner: dict[str, float] = defaultdict(float)

    def open_run(self, run_id: str, cap: float | None, *, owner: str = "", spent: float = 0.0) -> None:
        """Open a run with budget and earlier spending, in US dollars."""
        self._owners[run_id] = owner
        if cap is not None:
            self._runs[run_id] = Budget(cap, spent)

    def close_run(self, run_id: str) -> None:
        """Close a run; its calls in flight still count for the day."""
        self._runs.pop(run_id, None)
        self._owners.pop(run_id, None)

    def add_spent(self, owner: str, usd: float) -> None:
        """Add US dollars that an owner spent earlier today."""
        self._roll_over_day()
        self._by_owner[owner] += usd
        if self._day_budget is not None:
            self._day_budget.spent += usd

    def spent_today(self, owner: str) -> float:
        """Return an owner's settled spending since 00:00 UTC, in US dollars."""
        self._roll_over_day()
        return self._by_owner.get(owner, 0.0)

    def knows(self, run_id: str) -> bool:
        """Return True for an open run."""
        return run_id in self._owners

    def budgets(self, run_id: str) -> tuple[Budget, ...]:
        """Return a run's budgets: its own, then the day's."""
        own, day = self._runs.get(run_id), self._day_budget
        if day is None:
            return () if own is None else (own,)
        self._roll_over_day()
        return (day,) if own is None else (own, day)

    def is_day(self, budget: Budget) -> bool:
        """Return True for the day's budget."""
        return budget is self._day_budget

    def affordable(self, run_id: str, quotes: Mapping[str, Quote], *, stretch: bool = True) -> Affordable:
        """Return the models that a run's budgets allow; rule 3 needs `stretch`."""
        budgets = self.budgets(run_id)
        payable = {name: quote for name, quote in quotes.items() if all(budget.affords(quote) for budget in budgets)}
        ready = {name for name, quote in payable.items() if all(budget.admits(quote) for budget in budgets)}
        suiting = {name for name, quote in payable.items() if all(budget.suits(quote) for budget in budgets)}
        # 1. and 2. Models that suit; those of them whose call fits beside all that is held may begin.
        if suiting:
            return Affordable(frozenset(suiting), frozenset(ready & suiting))
        # 3. None suits, and nothing is in flight: stretch the budget to the cheapest.
        if ready and stretch:
            cheapest = frozenset({min(ready, key=lambda name: (payable[name].expected, name))})
            return Affordable(cheapest, cheapest)
        # 4. Settlements may still free money; else the call is over budget.
        waits = any(not budget.idle for budget in budgets)
        return Affordable(frozenset(payable) if waits else frozenset(), frozenset())

    def reserve(self, attempt_id: str, run_id: str, quote: Quote | None) -> None:
        """Hold a call's most until settlement; nothing without a quote."""
        self._roll_over_day()
        held = quote or _UNKNOWN
        budgets = self.budgets(run_id)
        for budget in budgets:
            budget.hold(held)
        self._reserved[attempt_id] = _Reservation(held, budgets, self._owners.get(run_id, ""), self._day)

    def settle(self, attempt_id: str, cost: float | None, *, maybe_paid: bool) -> bool:
        """Replace a call's held amount with its bill in US dollars; return True if budgeted.

        An unknown bill counts as the most if `maybe_paid`, else as 0.
        """
        reserved = self._reserved.pop(attempt_id)
        unknown = reserved.quote.most if maybe_paid else 0.0
        paid = unknown if cost is None else cost
        # 1. Every budget that it was under, even one that has been closed or replaced since.
        for budget in reserved.budgets:
            budget.release(reserved.quote, paid)
        # 2. The owner's spending, if the call's day still lasts.
        self._roll_over_day()
        if reserved.day == self._day:
            self._by_owner[reserved.owner] += paid
        return bool(reserved.budgets)

    def _roll_over_day(self) -> None:
        if (today := self._today()) != self._day:
            self._day = today
            self._by_owner.clear()
            if self._day_cap is not None:
                self._day_budget = Budget(self._day_cap)
