"""Which models may answer a wish, now or later: cards, prices and the state of every account, put together."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cached_property

from ai3ray.domain.call import ErrorInfo
from ai3ray.domain.events import Candidate
from ai3ray.errors import NoModelLeft, UnknownModel
from ai3ray.pool.account import Account
from ai3ray.pool.backoff import Backoff
from ai3ray.pool.lease import LeaseRequest, Refusal
from ai3ray.pool.show import why_none
from ai3ray.registry.cards import ModelCard
from ai3ray.registry.prices import Rates
from ai3ray.registry.registry import Registry
from ai3ray.router.filters import exclusion, pause
from ai3ray.router.rank import rank
from ai3ray.router.weights import Weights
from ai3ray.router.wish import Conditions
from ai3ray.telemetry.live import LiveStats


class Market:
    """The models of the configured providers, seen at one moment. Changes nothing.

    Args:
        registry: the models and their prices.
        accounts: the configured providers by name.
        weights: of the routing score.
        live: live figures by `provider/model`, kept by the pool.
        holds: models that failed and are left alone, kept by the pool.
    """

    def __init__(
        self,
        registry: Registry,
        accounts: Mapping[str, Account],
        weights: Weights,
        live: Mapping[str, LiveStats],
        holds: Mapping[str, Backoff],
    ) -> None:
        self._registry = registry
        self._accounts = accounts
        self._weights = weights
        self._live = live
        self._holds = holds
        self._cards = registry.cards(accounts)
        self._unnamed = registry.unnamed(accounts)
        self._names = frozenset(card.name for card in self._cards)
        self._passed: dict[str, ModelCard] = {}

    @property
    def passed(self) -> tuple[ModelCard, ...]:
        """Models that were asked for by name and are in no registry."""
        return tuple(self._passed.values())

    def ranked(self, request: LeaseRequest, now: float) -> tuple[Candidate, ...]:
        """All models for this wish, the best one that can be called now first."""
        return rank(request, self._cards_for(request), self._conditions(now), self._weights)

    def preview(self, request: LeaseRequest, now: float) -> tuple[Candidate, ...]:
        """The same if nobody were busy or paused."""
        conditions = replace(self._conditions(now), paused={})
        return rank(request, self._cards_for(request), conditions, self._weights)

    def hopes(self, request: LeaseRequest, now: float) -> frozenset[str]:
        """The models that may answer the wish, now or later."""
        conditions = self._conditions(now)
        cards = self._cards_for(request)
        return frozenset(card.name for card in cards if exclusion(request, card, conditions) is None)

    def callable(self, now: float) -> frozenset[str]:
        """The models that can be called at this moment."""
        conditions = self._conditions(now)
        return frozenset(card.name for card in (*self._cards, *self.passed) if pause(card, conditions) is None)

    def refusal(self, request: LeaseRequest, now: float) -> Refusal:
        """Why there is no model: the failure that took its provider out, else every model's reason."""
        conditions = self._conditions(now)
        cards = self._cards_for(request)
        anyway = replace(conditions, out={})
        wanted = {card.provider for card in cards if exclusion(request, card, anyway) is None}
        failures = [
            (account.failed_at, account.failure)
            for name, account in self._accounts.items()
            if name in wanted and account.failure is not None
        ]
        if failures:
            error = max(failures, key=lambda failure: failure[0])[1]
        else:
            error = ErrorInfo(type=NoModelLeft.type, message=why_none(request, cards, conditions))
        return Refusal(request_id=request.request_id, run_id=request.run_id, error=error)

    def _conditions(self, now: float) -> Conditions:
        paused: dict[str, str] = {}
        out: dict[str, str] = {}
        for name, account in self._accounts.items():
            if account.out and account.failure:
                out[name] = f"out: {account.failure.message}"
            elif (why := account.held_back(now)) is not None:
                paused[name] = why
        for model, hold in self._holds.items():
            if now < hold.until:
                paused[model] = f"failed, left alone for {hold.until - now:.1f} s"
        return Conditions(
            today=self._registry.today(),
            live=self._live,
            prices=self._prices,
            load={name: account.load for name, account in self._accounts.items()},
            out=out,
            paused=paused,
        )

    @cached_property
    def _prices(self) -> dict[str, Rates | None]:
        """List prices, compiled with the first wish."""
        return {card.name: self._registry.prices.list_price(card.provider, card.id) for card in self._cards}

    def _cards_for(self, request: LeaseRequest) -> tuple[ModelCard, ...]:
        """All models but unnamed demos, and those that only this wish names."""
        if not request.models:
            return self._unnamed
        passed = (self._pass(name) for name in request.models if name not in self._names)
        return (*self._cards, *(card for card in passed if card is not None))

    def _pass(self, name: str) -> ModelCard | None:
        """The blank card of a passed-through model; None when its provider cannot be called."""
        if name not in self._passed and name.partition("/")[0] in self._accounts:
            with suppress(UnknownModel):
                card = self._registry.card(name)
                if card.name == name:
                    self._passed[name] = card
        return self._passed.get(name)
