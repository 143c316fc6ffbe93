"""Which models may answer a lease request, now or later: cards, prices and the state of every account, put together."""

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
from ai3ray.router.candidates import CandidateSet, cache_key, candidate_set, exclusion
from ai3ray.router.conditions import Conditions, PricedModel
from ai3ray.router.rank import Ranking
from ai3ray.router.router import Router

MOST_CANDIDATE_SETS = 512
"""Forms of requests whose field is remembered."""


class EligibleModels(NamedTuple):
    """The models that may answer requests of one form, now or later."""

    cards: tuple[ModelCard, ...]
    """What they can."""
    names: frozenset[str]
    """As `provider/model`."""

    @classmethod
    def of(cls, cards: Iterable[ModelCard]) -> EligibleModels:
        """These models."""
        cards = tuple(cards)
        return cls(cards, frozenset(card.name for card in cards))


class CandidateIndex:
    """The models of the configured providers, seen at one moment. Changes nothing.

    How things stand is worked out once per moment: whoever changes something about an account, a model or a hold says
    so (`changed`).

    Args:
        registry: the models and their prices.
        accounts: the configured providers by name.
        router: ranks the models.
        holds: models that failed and are left alone, kept by the pool.
    """

    def __init__(
        self, registry: Registry, accounts: Mapping[str, Account], router: Router, holds: Mapping[str, Backoff]
    ) -> None:
        self._registry = registry
        self._accounts = accounts
        self._router = router
        self._holds = holds
        self._cards = registry.cards(accounts)
        self._unnamed = frozenset(card.name for card in registry.unnamed(accounts))
        self._names = frozenset(card.name for card in self._cards)
        self._passed: dict[str, ModelCard] = {}
        self._candidate_sets: dict[tuple[object, ...], tuple[CandidateSet, EligibleModels]] = {}
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
        """Models that were asked for by name and are in no registry."""
        return tuple(self._passed.values())

    def ranked(self, request: LeaseRequest, now: float, barred: Mapping[str, str] | None = None) -> Ranking:
        """All models for this request, and which is the best one that can be called now.

        Args:
            request: the request.
            now: seconds of the pool's clock.
            barred: models that this request may not go to at the moment, each with the reason.
        """
        conditions = self._conditions(now)
        if barred:
            conditions = replace(conditions, paused={**barred, **conditions.paused})
        return self._router.rank(request, self._candidate_set(request, conditions)[0], conditions)

    def preview(self, request: LeaseRequest, now: float) -> tuple[Candidate, ...]:
        """All models for this request, best first, as if nobody were busy or paused."""
        conditions = replace(self._conditions(now), paused={})
        return self._router.preview(request, self._candidate_set(request, conditions)[0], conditions).candidates()

    def eligible(self, request: LeaseRequest, now: float) -> EligibleModels:
        """The models that may answer the request, now or later."""
        conditions = self._conditions(now)
        known, eligible = self._candidate_set(request, conditions)
        if not conditions.out and request.input_tokens + request.max_output_tokens <= known.narrowest:
            return eligible
        return EligibleModels.of(
            priced.card for priced in known.priced_models if exclusion(request, priced, conditions) is None
        )

    def callable(self, now: float) -> frozenset[str]:
        """The models that can be called at this moment."""
        conditions = self._conditions(now)
        if not conditions.paused:
            return self._all
        if self._callable is None:
            free = [names for name, names in self._by_account.items() if name not in conditions.paused]
            self._callable = frozenset[str]().union(*free) - conditions.paused.keys()
        return self._callable

    def changed(self) -> None:
        """Something is not as it was a moment ago."""
        self._known = None

    def refusal(self, request: LeaseRequest, now: float) -> Refusal:
        """Why there is no model: the failure that took its provider out, else every model's reason."""
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
        """The card of a `provider/model`, passed through or not; None when nobody has it."""
        return self._cards_by_name.get(name) or self._passed.get(name)

    def _conditions(self, now: float) -> Conditions:
        if self._known is None or now != self._now:
            self._known, self._callable, self._now = self._work_out(now), None, now
        return self._known

    def _work_out(self, now: float) -> Conditions:
        paused: dict[str, str] = {}
        out: dict[str, str] = {}
        load: dict[str, float] = {}
        for name, account in self._accounts.items():
            load[name] = account.limiter.load
            if account.failure is not None and account.out:
                out[name] = f"out: {account.failure.message}"
            elif (why := account.pause_reason(now)) is not None:
                paused[name] = why
            else:
                for rate_class in account.rate_classes.values():
                    if rate_class.told and (why := rate_class.pause_reason(now)) is not None:
                        paused.update((model, why) for model in rate_class.models)
        for model, hold in self._holds.items():
            if now < hold.until:
                paused[model] = f"failed, left alone for {hold.until - now:.1f} s"
        if abs(now - self._today[0]) >= 1.0:
            self._today = (now, self._registry.today())
        in_flight = self._router.live.in_flight
        return Conditions(today=self._today[1], load=load, in_flight=in_flight, out=out, paused=paused)

    def _candidate_set(self, request: LeaseRequest, conditions: Conditions) -> tuple[CandidateSet, EligibleModels]:
        """Who may take requests of this form; worked out once, because thousands of requests share a few forms."""
        key = cache_key(request, conditions.today)
        known = self._candidate_sets.get(key)
        if known is None:
            if len(self._candidate_sets) >= MOST_CANDIDATE_SETS:
                self._candidate_sets.clear()
            sifted = candidate_set(request, self._priced_models_for(request), conditions.today)
            eligible = EligibleModels.of(
                priced.card for priced in sifted.priced_models if priced.name not in sifted.mismatches
            )
            known = self._candidate_sets[key] = (sifted, eligible)
        return known

    @cached_property
    def _priced_models(self) -> tuple[PricedModel, ...]:
        """All models at their list prices, which are compiled with the first request."""
        prices = self._registry.prices
        return tuple(PricedModel.of(card, prices.list_price(card.provider, card.id)) for card in self._cards)

    @cached_property
    def _cards_by_name(self) -> dict[str, ModelCard]:
        return {card.name: card for card in self._cards}

    def _priced_models_for(self, request: LeaseRequest) -> tuple[PricedModel, ...]:
        """All models but unnamed demos, and those that only this request names."""
        if not request.models:
            return tuple(priced for priced in self._priced_models if priced.name in self._unnamed)
        passed_through = (self._passed_through_card(name) for name in request.models if name not in self._names)
        return (*self._priced_models, *(PricedModel.of(card) for card in passed_through if card is not None))

    def _passed_through_card(self, name: str) -> ModelCard | None:
        """The blank card of a passed-through model; None when its provider cannot be called."""
        if name not in self._passed and name.partition("/")[0] in self._accounts:
            with suppress(UnknownModel):
                card = self._registry.card(name)
                if card.name == name:
                    self._passed[name] = card
                    self._register(card)
        return self._passed.get(name)

    def _register(self, card: ModelCard) -> None:
        """A model belongs to its account, and to a class of it."""
        self._accounts[card.provider].rate_class(card)
        self._by_account[card.provider] |= {card.name}
        self._all |= {card.name}
        self.changed()
