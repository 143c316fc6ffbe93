"""One lease request evaluated at one moment."""

from __future__ import annotations

from typing import NamedTuple

from ai3ray.domain.lease import LeaseRequest
from ai3ray.pool.budget.budgets import BudgetCheck
from ai3ray.pool.candidate_index import Candidates
from ai3ray.pool.queue.lease_queue import Waiter
from ai3ray.router.conditions import PricedModel
from ai3ray.router.rank import Ranking


class Evaluation(NamedTuple):
    """A lease request with candidates, budgets and ranking."""

    request: LeaseRequest
    candidates: Candidates
    budget: BudgetCheck | None
    """None without a budget."""
    ranking: Ranking | None
    """None when no call may begin now."""

    @property
    def admitted(self) -> PricedModel | None:
        """The model whose call may begin now."""
        best = self.ranking.best if self.ranking is not None else None
        if best is None or self.budget is None or best.name in self.budget.affordable.ready:
            return best
        return None

    @property
    def refused(self) -> bool:
        """True when no model is left or payable."""
        return not self.candidates.cards or (self.budget is not None and self.budget.exceeded)

    @property
    def needs_settlement(self) -> bool:
        """True when calls in flight hold the best model's money."""
        return self.ranking is not None and self.ranking.best is not None and self.admitted is None

    def waiter(self) -> Waiter:
        """Return the queue entry."""
        if self.budget is None:
            return Waiter(self.request, self.candidates.names)
        return Waiter(
            self.request,
            self.budget.affordable.allowed,
            self.candidates.names,
            self.budget.floor,
            needs_settlement=self.budget.blocked or self.needs_settlement,
        )
