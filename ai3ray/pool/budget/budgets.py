"""Budgets by request and model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from ai3ray.domain.call import ErrorInfo, Role
from ai3ray.domain.lease import LeaseRequest, Refusal, Settlement
from ai3ray.domain.money import dollars
from ai3ray.errors import BudgetSpent, NoModelLeft
from ai3ray.pool.budget.ledger import Affordable, BudgetLedger, Quote
from ai3ray.pool.budget.quotes import Quotes
from ai3ray.registry.cards import ModelCard
from ai3ray.registry.registry import Registry


@dataclass(frozen=True)
class BudgetCheck:
    """One request's allowance at one moment."""

    quotes: Mapping[str, Quote | None]
    """By model; None where the price is unknown."""
    affordable: Affordable

    @property
    def exceeded(self) -> bool:
        """True when no model can ever be paid."""
        return not self.affordable.allowed

    @property
    def blocked(self) -> bool:
        """True when a call in flight has to be settled first."""
        return not self.affordable.ready

    @cached_property
    def exclusions(self) -> dict[str, str]:
        """The reason against each model that is ruled out."""
        return {
            name: "unknown price under a budget" if quote is None else f"over budget: about {dollars(quote.expected)}"
            for name, quote in self.quotes.items()
            if name not in self.affordable.allowed
        }

    @property
    def floor(self) -> Quote:
        """The models' lowest figure of each kind."""
        known = [quote for quote in self.quotes.values() if quote is not None]
        return Quote(*(min(figures) for figures in zip(*known, strict=True)))


class Budgets:
    """The ledger by request and model; `day_cap` is in US dollars."""

    def __init__(self, registry: Registry, day_cap: float | None = None) -> None:
        self._ledger = BudgetLedger(registry.today, day_cap)
        self.by_day = day_cap is not None
        """True when one run's settlement may free another's money."""
        self._quotes = Quotes(registry.prices)
        self._calls: dict[str, tuple[str, Role]] = {}

    def open_run(self, run_id: str, cap: float | None, *, owner: str = "", spent: float = 0.0) -> None:
        """Open a run with budget and earlier spending, in US dollars."""
        self._ledger.open_run(run_id, cap, owner=owner, spent=spent)

    def close_run(self, run_id: str) -> None:
        """Close a run."""
        self._ledger.close_run(run_id)

    def add_spent(self, owner: str, usd: float) -> None:
        """Add US dollars that an owner spent earlier today."""
        self._ledger.add_spent(owner, usd)

    def spent_today(self, owner: str) -> float:
        """Return an owner's spending since 00:00 UTC, in US dollars."""
        return self._ledger.spent_today(owner)

    def check(self, request: LeaseRequest, cards: Iterable[ModelCard]) -> BudgetCheck | None:
        """Return the allowance for these models; None without a budget."""
        if not self._applies_to(request):
            return None
        quotes = {card.name: self._quotes.of(request, card) for card in cards}
        known = {name: quote for name, quote in quotes.items() if quote is not None}
        return BudgetCheck(quotes, self._ledger.affordable(request.run_id, known, stretch=request.stretch))

    def can_pay(self, run_id: str, floor: Quote) -> bool | None:
        """Return whether such a call may begin now; None if it never fits."""
        budgets = self._ledger.budgets(run_id)
        if not all(budget.affords(floor) for budget in budgets):
            return None
        return all(budget.admits(floor) for budget in budgets)

    def refusal(self, request: LeaseRequest, budget_check: BudgetCheck) -> Refusal:
        """Return the refusal of an unaffordable request."""
        if all(quote is None for quote in budget_check.quotes.values()):
            reason = f"unknown price under a budget: {', '.join(budget_check.quotes)}"
            error = ErrorInfo(type=NoModelLeft.type, message=f"no model is left: {reason}")
        else:
            budget = min(self._ledger.budgets(request.run_id), key=lambda one: one.left)
            further = "cannot pay for another call" if budget.spent else "cannot pay for any call"
            state = further if request.stretch else "leaves too little for this call"
            used = f"of {dollars(budget.cap)} {state}: {dollars(budget.spent)} is spent"
            if self._ledger.is_day(budget):
                message = f"the day's budget {used} (AI3_BUDGET_DAY_USD); a new day begins at 00:00 UTC"
            else:
                message = f"the budget {used}; start a new run with a larger one"
            error = ErrorInfo(type=BudgetSpent.type, message=message)
        return Refusal(request_id=request.request_id, run_id=request.run_id, error=error)

    def reserve(self, request: LeaseRequest, attempt_id: str, card: ModelCard) -> float | None:
        """Hold and return a call's highest cost in US dollars; None if unknown."""
        if self._applies_to(request):
            quote = self._quotes.of(request, card)
        else:
            most = self._quotes.most(request, card)
            quote = None if most is None else Quote(0.0, 0.0, most)
        self._ledger.reserve(attempt_id, request.run_id, quote)
        self._calls[attempt_id] = (card.name, request.role)
        return quote.most if quote is not None else None

    def settle(self, settlement: Settlement) -> bool:
        """Replace a reservation with the cost; return True if waiting requests may be payable."""
        model, role = self._calls.pop(settlement.attempt_id)
        if settlement.status == "succeeded" and settlement.usage is not None:
            self._quotes.learn(model, role, settlement.usage)
        maybe_paid = settlement.maybe_paid or settlement.status == "lost"
        return self._ledger.settle(settlement.attempt_id, settlement.cost_usd, maybe_paid=maybe_paid)

    def _applies_to(self, request: LeaseRequest) -> bool:
        """Open the request's run if needed; return True if under a budget."""
        if not self._ledger.knows(request.run_id):
            self._ledger.open_run(request.run_id, request.budget_usd)
        return bool(self._ledger.budgets(request.run_id))
