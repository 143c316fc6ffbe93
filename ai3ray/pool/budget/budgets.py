"""Budgets in terms of wishes and models: what may be called, what a lease reserves, and why there is no money."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from ai3ray.domain.call import ErrorInfo, Role
from ai3ray.domain.lease import LeaseRequest, Refusal, Settlement
from ai3ray.domain.money import dollars
from ai3ray.errors import BudgetSpent, NoModelLeft
from ai3ray.pool.budget.ledger import Ledger, Means, Quote
from ai3ray.pool.budget.quotes import Quotes
from ai3ray.registry.cards import ModelCard
from ai3ray.registry.registry import Registry


@dataclass(frozen=True)
class Outlook:
    """What a wish may be spent on, at one moment."""

    quotes: Mapping[str, Quote | None]
    """What the call costs, by each model that could be asked; None where the price is unknown."""
    means: Means
    """What its budgets allow."""

    @property
    def over(self) -> bool:
        """Whether no model can be paid, now or later."""
        return not self.means.allowed

    @property
    def blocked(self) -> bool:
        """Whether nothing may begin before a call in flight is settled."""
        return not self.means.ready

    @cached_property
    def barred(self) -> dict[str, str]:
        """The models that it may not go to, each with the reason."""
        return {
            name: "unknown price under a budget" if quote is None else f"over budget: about {dollars(quote.expected)}"
            for name, quote in self.quotes.items()
            if name not in self.means.allowed
        }

    @property
    def floor(self) -> Quote:
        """The lowest figure of each kind among the models: when not even this fits, nothing does."""
        known = [quote for quote in self.quotes.values() if quote is not None]
        return Quote(*(min(figures) for figures in zip(*known, strict=True)))


class Budgets:
    """The ledger, asked by wish and model.

    Args:
        registry: models and prices.
        day_cap: US dollars that all runs together may spend in a UTC day; no limit when None.
    """

    def __init__(self, registry: Registry, day_cap: float | None = None) -> None:
        self._ledger = Ledger(registry.today, day_cap)
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

    def add(self, owner: str, usd: float) -> None:
        """So much was spent today before."""
        self._ledger.add(owner, usd)

    def spent_today(self, owner: str) -> float:
        """US dollars that this owner's runs have spent since 00:00 UTC."""
        return self._ledger.spent_today(owner)

    def limits(self, request: LeaseRequest) -> bool:
        """Whether the wish is under any budget."""
        self._greet(request)
        return bool(self._ledger.purses(request.run_id))

    def outlook(self, request: LeaseRequest, cards: Iterable[ModelCard]) -> Outlook | None:
        """What a wish may be spent on; None when it is under no budget.

        Args:
            request: the wish.
            cards: the models that could be asked, if money were no matter.
        """
        if not self.limits(request):
            return None
        quotes = {card.name: self._quotes.of(request, card) for card in cards}
        known = {name: quote for name, quote in quotes.items() if quote is not None}
        return Outlook(quotes, self._ledger.weigh(request.run_id, known, stretch=request.stretch))

    def allows(self, run_id: str, floor: Quote) -> bool | None:
        """Whether a wish with this floor may try again: False while it has to wait, None when it is over budget."""
        purses = self._ledger.purses(run_id)
        if not all(purse.affords(floor) for purse in purses):
            return None
        return all(purse.admits(floor) for purse in purses)

    def refusal(self, request: LeaseRequest, outlook: Outlook) -> Refusal:
        """Why there is no money for this wish, whose outlook is `over`."""
        known = [quote for quote in outlook.quotes.values() if quote is not None]
        if known:
            error = ErrorInfo(type=BudgetSpent.type, message=self._words(request))
        else:
            reason = f"unknown price under a budget: {', '.join(outlook.quotes)}"
            error = ErrorInfo(type=NoModelLeft.type, message=f"no model is left: {reason}")
        return Refusal(request_id=request.request_id, run_id=request.run_id, error=error)

    def reserve(self, request: LeaseRequest, attempt_id: str, card: ModelCard) -> float | None:
        """A call begins. Returns the US dollars that it can cost at the most, which are held for it."""
        if self.limits(request):
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

    def _greet(self, request: LeaseRequest) -> None:
        """A run that nobody has opened is opened by its first wish."""
        if not self._ledger.knows(request.run_id):
            self._ledger.open_run(request.run_id, request.budget_usd)

    def _words(self, request: LeaseRequest) -> str:
        """Which budget is spent, and what its owner can do."""
        purse = min(self._ledger.purses(request.run_id), key=lambda one: one.left)
        further = "pays for no further call" if purse.spent else "pays for no call"
        state = further if request.stretch else "leaves too little for this call"
        used = f"of {dollars(purse.cap)} {state}: {dollars(purse.spent)} is spent"
        if self._ledger.is_day(purse):
            return f"the day's budget {used} (AI3_BUDGET_DAY_USD); a new day begins at 00:00 UTC"
        return f"the budget {used}; start a new run with a larger one"
