"""Budgets in terms of requests and models: what may be called, what a lease reserves, and why there is no money."""

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
    """What a lease request may be spent on, at one moment."""

    quotes: Mapping[str, Quote | None]
    """What the call costs, by each model that could be asked; None where the price is unknown."""
    affordable: Affordable
    """What its budgets allow."""

    @property
    def exceeded(self) -> bool:
        """Whether no model can be paid, now or later."""
        return not self.affordable.allowed

    @property
    def blocked(self) -> bool:
        """Whether nothing may begin before a call in flight is settled."""
        return not self.affordable.ready

    @cached_property
    def exclusions(self) -> dict[str, str]:
        """The models that it may not go to, each with the reason."""
        return {
            name: "unknown price under a budget" if quote is None else f"over budget: about {dollars(quote.expected)}"
            for name, quote in self.quotes.items()
            if name not in self.affordable.allowed
        }

    @property
    def floor(self) -> Quote:
        """The lowest figure of each kind among the models: when not even this fits, nothing does."""
        known = [quote for quote in self.quotes.values() if quote is not None]
        return Quote(*(min(figures) for figures in zip(*known, strict=True)))


class Budgets:
    """The ledger, asked by request and model.

    Args:
        registry: models and prices.
        day_cap: US dollars that all runs together may spend in a UTC day; no limit when None.
    """

    def __init__(self, registry: Registry, day_cap: float | None = None) -> None:
        self._ledger = BudgetLedger(registry.today, day_cap)
        self.by_day = day_cap is not None
        """Whether all runs share a budget, so that the calls of one may free money for another."""
        self._quotes = Quotes(registry.prices)
        self._calls: dict[str, tuple[str, Role]] = {}

    def open_run(self, run_id: str, cap: float | None, *, owner: str = "", spent: float = 0.0) -> None:
        """A run begins, or goes on; see `Ledger.open_run`."""
        self._ledger.open_run(run_id, cap, owner=owner, spent=spent)

    def close_run(self, run_id: str) -> None:
        """It has ended."""
        self._ledger.close_run(run_id)

    def add_spent(self, owner: str, usd: float) -> None:
        """So much was spent today before."""
        self._ledger.add_spent(owner, usd)

    def spent_today(self, owner: str) -> float:
        """US dollars that this owner's runs have spent since 00:00 UTC."""
        return self._ledger.spent_today(owner)

    def applies_to(self, request: LeaseRequest) -> bool:
        """Whether the request is under any budget."""
        self._ensure_open(request)
        return bool(self._ledger.budgets(request.run_id))

    def budget_check(self, request: LeaseRequest, cards: Iterable[ModelCard]) -> BudgetCheck | None:
        """What a lease request may be spent on; None when it is under no budget.

        Args:
            request: the request.
            cards: the models that could be asked, if money were no matter.
        """
        if not self.applies_to(request):
            return None
        quotes = {card.name: self._quotes.of(request, card) for card in cards}
        known = {name: quote for name, quote in quotes.items() if quote is not None}
        return BudgetCheck(quotes, self._ledger.affordable(request.run_id, known, stretch=request.stretch))

    def can_pay(self, run_id: str, floor: Quote) -> bool | None:
        """Return True if a request with this floor may try again, False while it has to wait, None when over budget."""
        budgets = self._ledger.budgets(run_id)
        if not all(budget.affords(floor) for budget in budgets):
            return None
        return all(budget.admits(floor) for budget in budgets)

    def refusal(self, request: LeaseRequest, budget_check: BudgetCheck) -> Refusal:
        """Why there is no money for this request, whose budget_check is `over`."""
        known = [quote for quote in budget_check.quotes.values() if quote is not None]
        if known:
            error = ErrorInfo(type=BudgetSpent.type, message=self._spent_message(request))
        else:
            reason = f"unknown price under a budget: {', '.join(budget_check.quotes)}"
            error = ErrorInfo(type=NoModelLeft.type, message=f"no model is left: {reason}")
        return Refusal(request_id=request.request_id, run_id=request.run_id, error=error)

    def reserve(self, request: LeaseRequest, attempt_id: str, card: ModelCard) -> float | None:
        """A call begins. Returns the US dollars that it can cost at the most, which are held for it."""
        if self.applies_to(request):
            quote = self._quotes.of(request, card)
        else:
            most = self._quotes.most(request, card)
            quote = None if most is None else Quote(0.0, 0.0, most)
        self._ledger.reserve(attempt_id, request.run_id, quote)
        self._calls[attempt_id] = (card.name, request.role)
        return quote.most if quote is not None else None

    def settle(self, settlement: Settlement) -> bool:
        """It has ended. Returns whether calls that wait for money may look again."""
        model, role = self._calls.pop(settlement.attempt_id)
        if settlement.status == "succeeded" and settlement.usage is not None:
            self._quotes.learn(model, role, settlement.usage)
        maybe_paid = settlement.maybe_paid or settlement.status == "lost"
        return self._ledger.settle(settlement.attempt_id, settlement.cost_usd, maybe_paid=maybe_paid)

    def _ensure_open(self, request: LeaseRequest) -> None:
        """A run that nobody has opened is opened by its first request."""
        if not self._ledger.knows(request.run_id):
            self._ledger.open_run(request.run_id, request.budget_usd)

    def _spent_message(self, request: LeaseRequest) -> str:
        """Which budget is spent, and what its owner can do."""
        budget = min(self._ledger.budgets(request.run_id), key=lambda one: one.left)
        further = "pays for no further call" if budget.spent else "pays for no call"
        state = further if request.stretch else "leaves too little for this call"
        used = f"of {dollars(budget.cap)} {state}: {dollars(budget.spent)} is spent"
        if self._ledger.is_day(budget):
            return f"the day's budget {used} (AI3_BUDGET_DAY_USD); a new day begins at 00:00 UTC"
        return f"the budget {used}; start a new run with a larger one"
