"""What may be spent and what has been: a budget per run, one per UTC day, and each owner's spend of the day.

A call has three costs before it is made (`Quote`): what it takes at the least, what it is expected to take,
and what it can take at the most. A budget has what is spent, and what the calls in flight hold: each holds
its most from its lease to its settlement, when its real cost takes that place. The rule, for each budget
that a call is under:

- A model suits while its expected cost fits beside what is spent and what the calls in flight are expected
  to take. As long as any model suits, no other is called: money that gets scarce moves work to cheaper
  models before it stops it.
- A call begins when its expected cost fits beside what is spent and all that is held. If it does not, it
  waits for a settlement: what is held is more than what will be spent, so it is no reason to refuse.
- When no model suits and nothing is in flight, the cheapest model is called that could still fit at its
  least. The estimate may be too high, and nothing is stopped that would have fitted. Only calls that can be
  left out, a judge's and that which merges the outputs, do not stretch a budget like this.
- When not even the least of any model fits into what is not spent, the call is over budget. That is final:
  what is spent never becomes less.

So a call is refused only when it costs more than is left, and spend never exceeds a budget by more than the
most that one call can take: `spent + held <= cap + max(most)`, whatever is in flight. The price of the second
is time: near its end a budget lets fewer calls go at once.

A call whose bill nobody knows, because its runner died or its stream was cut, counts with its most. A model
that costs nothing is never over budget.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import date
from typing import NamedTuple

TOLERANCE_USD = 1e-9
"""Sums of floats err: amounts that differ by less than this are the same."""


class Quote(NamedTuple):
    """What one call of one model costs, in US dollars, as far as one can say before."""

    least: float
    """It takes no less."""
    expected: float
    """What such calls take."""
    most: float
    """It takes no more: the whole prompt at its price, and an answer as long as its cap."""

    @property
    def free(self) -> bool:
        """Whether it costs nothing."""
        return not self.most


_UNKNOWN = Quote(0.0, 0.0, 0.0)


class Affordable(NamedTuple):
    """What its budgets allow a lease request at one moment."""

    allowed: frozenset[str]
    """The models that it may go to, now or after a settlement; empty when it is over budget."""
    ready: frozenset[str]
    """Those of them whose call may begin now."""


class Budget:
    """One budget.

    Args:
        cap: US dollars that may be spent.
        spent: what has been spent before.
    """

    def __init__(self, cap: float, spent: float = 0.0) -> None:
        self.cap = cap
        self.spent = spent
        """Settled costs, unknown ones at their most."""
        self.held = 0.0
        """The most that the calls in flight can take."""
        self._expected = 0.0
        self._calls = 0

    @property
    def idle(self) -> bool:
        """Whether no call is in flight."""
        return not self._calls

    @property
    def left(self) -> float:
        """What is not spent; negative when the last call took more than was left."""
        return self.cap - self.spent

    def affords(self, quote: Quote) -> bool:
        """Whether such a call could fit if those in flight cost nothing. When not, it never will."""
        return quote.free or quote.least <= self.left + TOLERANCE_USD

    def suits(self, quote: Quote) -> bool:
        """Whether it fits if every call, this one and those in flight, takes what is expected."""
        return quote.free or quote.expected <= self.left - self._expected + TOLERANCE_USD

    def admits(self, quote: Quote) -> bool:
        """Whether it may begin now."""
        alone = self.idle and self.affords(quote)
        return quote.free or alone or quote.expected <= self.left - self.held + TOLERANCE_USD

    def hold(self, quote: Quote) -> None:
        """A call begins."""
        self._calls += 1
        self.held += quote.most
        self._expected += quote.expected

    def release(self, quote: Quote, paid: float) -> None:
        """It has ended, and cost so much."""
        self._calls -= 1
        self.held = self.held - quote.most if self._calls else 0.0
        self._expected = self._expected - quote.expected if self._calls else 0.0
        self.spent += paid


class _Reservation(NamedTuple):
    """A call in flight."""

    quote: Quote
    budgets: tuple[Budget, ...]
    owner: str
    day: date


class BudgetLedger:
    """The budgets of all runs, and of the day. Pure: it decides, and others act.

    A call's cost belongs to the UTC day on which it began.

    Args:
        today: tells the UTC day.
        day_cap: US dollars that all runs together may spend in a day; no limit when None.
    """

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
        """A run begins, or goes on.

        Args:
            run_id: the run.
            cap: its budget in US dollars, when it has one.
            owner: whose it is.
            spent: what it spent in an earlier life, unknown bills at their most.
        """
        self._owners[run_id] = owner
        if cap is not None:
            self._runs[run_id] = Budget(cap, spent)

    def close_run(self, run_id: str) -> None:
        """It has ended. Its calls in flight still count for the day."""
        self._runs.pop(run_id, None)
        self._owners.pop(run_id, None)

    def add_spent(self, owner: str, usd: float) -> None:
        """Something was spent today, before this ledger began."""
        self._roll_over_day()
        self._by_owner[owner] += usd
        if self._day_budget is not None:
            self._day_budget.spent += usd

    def spent_today(self, owner: str) -> float:
        """US dollars that this owner's runs have spent since 00:00 UTC; calls in flight do not count yet."""
        self._roll_over_day()
        return self._by_owner.get(owner, 0.0)

    def knows(self, run_id: str) -> bool:
        """Whether the run is open."""
        return run_id in self._owners

    def budgets(self, run_id: str) -> tuple[Budget, ...]:
        """The budgets that the run's calls are under: its own first, then the day's."""
        own, day = self._runs.get(run_id), self._day_budget
        if day is None:
            return () if own is None else (own,)
        self._roll_over_day()
        return (day,) if own is None else (own, day)

    def is_day(self, budget: Budget) -> bool:
        """Whether it is the day's budget, not a run's."""
        return budget is self._day_budget

    def affordable(self, run_id: str, quotes: Mapping[str, Quote], *, stretch: bool = True) -> Affordable:
        """What the budgets of a run allow.

        Args:
            run_id: the run.
            quotes: what the call costs, by each model that could be asked.
            stretch: whether the last of a budget may go to a call that is expected to cost more.
        """
        budgets = self.budgets(run_id)
        payable = {name: quote for name, quote in quotes.items() if all(budget.affords(quote) for budget in budgets)}
        ready = {name for name, quote in payable.items() if all(budget.admits(quote) for budget in budgets)}
        suiting = {name for name, quote in payable.items() if all(budget.suits(quote) for budget in budgets)}
        if suiting:
            return Affordable(frozenset(suiting), frozenset(ready & suiting))
        if ready and stretch:
            cheapest = frozenset({min(ready, key=lambda name: (payable[name].expected, name))})
            return Affordable(cheapest, cheapest)
        waits = any(not budget.idle for budget in budgets)
        return Affordable(frozenset(payable) if waits else frozenset(), frozenset())

    def reserve(self, attempt_id: str, run_id: str, quote: Quote | None) -> None:
        """A call begins: its most is held until it is settled, nothing where its price is unknown."""
        self._roll_over_day()
        held = quote or _UNKNOWN
        budgets = self.budgets(run_id)
        for budget in budgets:
            budget.hold(held)
        self._reserved[attempt_id] = _Reservation(held, budgets, self._owners.get(run_id, ""), self._day)

    def settle(self, attempt_id: str, cost: float | None, *, maybe_paid: bool) -> bool:
        """It has ended: what it cost takes the place of what it held.

        Args:
            attempt_id: the call.
            cost: its bill in US dollars, when known.
            maybe_paid: it may have been billed; an unknown bill counts with the call's most then.

        Returns:
            whether it was under a budget, so that calls that wait for money may look again.
        """
        reserved = self._reserved.pop(attempt_id)
        unknown = reserved.quote.most if maybe_paid else 0.0
        paid = unknown if cost is None else cost
        for budget in reserved.budgets:
            budget.release(reserved.quote, paid)
        self._roll_over_day()
        if reserved.day == self._day:
            self._by_owner[reserved.owner] += paid
        return bool(reserved.budgets)

    def _roll_over_day(self) -> None:
        """At midnight UTC a new day begins with nothing spent."""
        if (today := self._today()) != self._day:
            self._day = today
            self._by_owner.clear()
            if self._day_cap is not None:
                self._day_budget = Budget(self._day_cap)
