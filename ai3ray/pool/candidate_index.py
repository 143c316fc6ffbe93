"""The models that may answer a lease request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import date
from functools import cached_property
from math import inf
from typing import NamedTuple

from ai3ray.domain.call import ErrorInfo
from ai3ray.domain.events import Candidate
from ai3ray.domain.lease import LeaseRequest, Refusal
from ai3ray.errors import NoModelLeft, UnknownModel
from ai3ray.pool.account.account import Account
from ai3ray.pool.account.backoff import Backoff
from ai3ray.pool.views import no_model_message
from ai3ray.registry.cards import ModelCard
from ai3ray.registry.registry import Registry
from ai3ray.router.candidates import CandidateSet, cache_key, candidate_set, exclusion, too_long
from ai3ray.router.conditions import Conditions, PricedModel
from ai3ray.router.rank import Ranking
from ai3ray.router.router import Router

MAX_CACHED = 512
"""By `cache_key` and providers that are out."""


class Candidates(NamedTuple):
    """A request's models, and those that may answer now or later."""

    models: CandidateSet
    cards: tuple[ModelCard, ...]
    """Those that may answer."""
    names: frozenset[str]

    @classmethod
    def of(cls, models: CandidateSet, cards: Iterable[ModelCard]) -> Candidates:
        """Return candidates of which only these may answer."""
        cards = tuple(cards)
        return cls(models, cards, frozenset(card.name for card in cards))


class CandidateIndex:
    """The models of the configured providers, cached.

    `invalidate` has to follow every change of an account or pause.
    """

    def __init__(
        self, registry: Registry, accounts: Mapping[str, Account], router: Router, pauses: Mapping[str, Backoff]
    ) -> None:
        self._registry = registry
        self._accounts = accounts
        self._router = router
        self._pauses = pauses
        self._cards = registry.cards(accounts)
        self._unnamed = frozenset(card.name for card in registry.default_cards(accounts))
        self._names = frozenset(card.name for card in self._cards)
        self._passed_through: dict[str, ModelCard] = {}
        self._candidates: dict[tuple[object, ...], Candidates] = {}
        self._by_account = {name: frozenset[str]() for name in accounts}
        self._all = frozenset[str]()
        self._today: tuple[float, date] = (-inf, date.min)
        self._now = -inf
        self._known: Conditions | None = None
        self._callable: frozenset[str] | None = None
        for card in self._cards:
            self._register(card)

    @property
    def passed_through(self) -> tuple[ModelCard, ...]:
        """Cards of unregistered models that requests named."""
        return tuple(self._passed_through.values())

    def candidates(self, request: LeaseRequest, now: float) -> Candidates:
        """Return a request's models, cached across similar requests."""
        conditions = self._conditions(now)
        key = cache_key(request, conditions.today) + tuple(conditions.out)
        known = self._candidates.get(key)
        if known is None:
            if len(self._candidates) >= MAX_CACHED:
                self._candidates.clear()
            models = candidate_set(request, self._priced_models_for(request), conditions.today)
            suitable = (priced for priced in models.priced_models if priced.name not in models.mismatches)
            known = Candidates.of(models, (priced.card for priced in suitable if priced.provider not in conditions.out))
            self._candidates[key] = known
        if request.input_tokens + request.max_output_tokens <= known.models.narrowest:
            return known
        return Candidates.of(known.models, (card for card in known.cards if too_long(request, card) is None))

    def rank(
        self, request: LeaseRequest, candidates: Candidates, now: float, exclusions: Mapping[str, str] | None = None
    ) -> Ranking:
        """Rank the models; those in `exclusions`, with reasons, count as paused."""
        conditions = self._conditions(now)
        if exclusions:
            conditions = replace(conditions, paused={**exclusions, **conditions.paused})
        return self._router.rank(request, candidates.models, conditions)

    def preview(self, request: LeaseRequest, now: float) -> tuple[Candidate, ...]:
        """Rank the models, best first, as if none were busy or paused."""
        conditions = replace(self._conditions(now), paused={})
        return self._router.preview(request, self.candidates(request, now).models, conditions).candidates()

    def callable(self, now: float) -> frozenset[str]:
        """Return the models that can be called."""
        conditions = self._conditions(now)
        if not conditions.paused:
            return self._all
        if self._callable is None:
            free = [names for name, names in self._by_account.items() if name not in conditions.paused]
            self._callable = frozenset[str]().union(*free) - conditions.paused.keys()
        return self._callable

    def invalidate(self) -> None:
        """Discard the cached state."""
        self._known = None

    def refusal(self, request: LeaseRequest, now: float) -> Refusal:
        """Return a refusal with the latest failure, else with every model's reason."""
        conditions = self._conditions(now)
        priced_models = self._priced_models_for(request)
        anyway = replace(conditions, out={})
        wanted = {priced.provider for priced in priced_models if exclusion(request, priced, anyway) is None}
        failures = [
            (account.failed_at, account.failure)
            for name, account in self._accounts.items()
            if name in wanted and account.failure is not None
        ]
        if failures:
            error = max(failures, key=lambda failure: failure[0])[1]
        else:
            error = ErrorInfo(type=NoModelLeft.type, message=no_model_message(request, priced_models, conditions))
        return Refusal(request_id=request.request_id, run_id=request.run_id, error=error)

    def card(self, name: str) -> ModelCard | None:
        """Return the card of a `provider/model`, or None."""
        return self._cards_by_name.get(name) or self._passed_through.get(name)

    def _conditions(self, now: float) -> Conditions:
        if self._known is not None and now == self._now:
            return self._known
        paused: dict[str, str] = {}
        out: dict[str, str] = {}
        load: dict[str, float] = {}
        for name, account in self._accounts.items():
            load[name] = account.limiter.load
            if account.failure is not None and account.out:
                out[name] = f"out: {account.failure.message}"
            elif (reason := account.pause_reason(now)) is not None:
                paused[name] = reason
            else:
                for rate_class in account.rate_classes.values():
                    if rate_class.limited and (reason := rate_class.pause_reason(now)) is not None:
                        paused.update((model, reason) for model in rate_class.models)
        for model, pause in self._pauses.items():
            if now < pause.until:
                paused[model] = f"failed, paused for {pause.until - now:.1f} s"
        if abs(now - self._today[0]) >= 1.0:
            self._today = (now, self._registry.today())
        self._now, self._callable = now, None
        self._known = Conditions(self._today[1], load, self._router.live.in_flight, out, paused)
        return self._known

    @cached_property
    def _priced_models(self) -> tuple[PricedModel, ...]:
        prices = self._registry.prices
        return tuple(PricedModel.of(card, prices.list_price(card.provider, card.id)) for card in self._cards)

    @cached_property
    def _cards_by_name(self) -> dict[str, ModelCard]:
        return {card.name: card for card in self._cards}

    def _priced_models_for(self, request: LeaseRequest) -> tuple[PricedModel, ...]:
        """Return all models; embedded and unregistered ones only if the request names models."""
        if not request.models:
            return tuple(priced for priced in self._priced_models if priced.name in self._unnamed)
        passed = (self._passed_through_card(name) for name in request.models if name not in self._names)
        return (*self._priced_models, *(PricedModel.of(card) for card in passed if card is not None))

    def _passed_through_card(self, name: str) -> ModelCard | None:
        if name not in self._passed_through and name.partition("/")[0] in self._accounts:
            with suppress(UnknownModel):
                card = self._registry.card(name)
                if card.name == name:
                    self._passed_through[name] = card
                    self._register(card)
        return self._passed_through.get(name)

    def _register(self, card: ModelCard) -> None:
        self._accounts[card.provider].rate_class(card)
        self._by_account[card.provider] |= {card.name}
        self._all |= {card.name}
        self.invalidate()
