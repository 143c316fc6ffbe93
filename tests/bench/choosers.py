"""Who chooses a model for each prompt: the router itself, and what it has to be better than."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from random import Random
from typing import Any, Protocol

from ai3ray.domain.lease import LeaseRequest
from ai3ray.domain.plan import Kind
from ai3ray.registry.cards import ModelCard
from ai3ray.registry.prices import Rates
from ai3ray.router.candidates import CandidateSet, candidate_set
from ai3ray.router.conditions import Conditions, PricedModel
from ai3ray.router.router import Router
from ai3ray.settings.model import Settings
from tests.bench.outcomes import OUTPUT_TOKENS, Outcomes, Prompt

TODAY = date(2026, 11, 22)
SECONDS_PER_PROMPT = 0.1
EPSILON = 0.1


class Chooser(Protocol):
    """Learns as it goes which model to ask."""

    def choose(self, prompt: Prompt) -> int:
        """The model for a prompt."""
        ...

    def learn(self, prompt: Prompt, model: int, score: float) -> None:
        """What the answer was worth."""
        ...


Make = Callable[[Outcomes, float, int], Chooser]
"""A chooser of these models, from the weight of the cost (0 to 1, the rest is quality's) and a seed."""


class Routed:
    """The router as it ships, with the weights of the sweep; its clock stands in for the wall.

    Args:
        outcomes: models and prices; the cards say nothing of quality.
        cost: weight of the cost term.
        seed: of its draws.
        table: `router.toml` as it ships.
    """

    def __init__(self, outcomes: Outcomes, cost: float, seed: int, table: Mapping[str, Any]) -> None:
        self._now = 0.0
        presets = {"sweep": {"quality": 1.0 - cost, "cost": cost}}
        settings = Settings(router={**table, "preset": "sweep", "presets": presets})
        self._router = Router(settings, lambda: self._now, Random(seed))
        self._cards = [ModelCard(provider="p", id=model) for model in outcomes.models]
        prices = [Rates(input=usd, output=usd) for usd in outcomes.usd_per_mtok]
        self._priced_models = [PricedModel.of(card, price) for card, price in zip(self._cards, prices, strict=True)]
        self._index = {card.name: index for index, card in enumerate(self._cards)}
        self._candidates: CandidateSet | None = None

    def choose(self, prompt: Prompt) -> int:
        self._now += SECONDS_PER_PROMPT
        request = LeaseRequest(
            request_id="w",
            run_id="r",
            kind=prompt.kind,
            input_tokens=prompt.input_tokens,
            max_output_tokens=OUTPUT_TOKENS,
        )
        self._candidates = self._candidates or candidate_set(request, self._priced_models, TODAY)
        best = self._router.rank(request, self._candidates, Conditions(today=TODAY)).best
        assert best is not None
        self._router.call_began(best)
        return self._index[best.name]

    def learn(self, prompt: Prompt, model: int, score: float) -> None:
        card = self._cards[model]
        self._router.call_ended(card.name, success=True, seconds=1.0, cost_usd=None, usage=None)
        self._router.record_verdict(prompt.kind, card, passed=True, score=score)


class Fixed:
    """Always the same model."""

    def __init__(self, model: int) -> None:
        self._model = model

    def choose(self, prompt: Prompt) -> int:
        return self._model

    def learn(self, prompt: Prompt, model: int, score: float) -> None:
        """Learns nothing."""


class AnyModel(Fixed):
    """Any model, with equal chances."""

    def __init__(self, outcomes: Outcomes, cost: float, seed: int) -> None:
        self._rng, self._count = Random(seed), len(outcomes.models)

    def choose(self, prompt: Prompt) -> int:
        return self._rng.randrange(self._count)


class Counting:
    """What the two textbook rules share: plain sums per kind and model, and the same utility as the router."""

    def __init__(self, outcomes: Outcomes, cost: float, seed: int) -> None:
        self._rng = Random(seed)
        self._quality = 1.0 - cost
        self._cheap = [cost * 4.0 / (4.0 + usd) for usd in outcomes.usd_per_mtok]
        self._sums: dict[Kind, list[list[float]]] = {}

    def sums(self, kind: Kind) -> list[list[float]]:
        """Good and bad per model, one of each to begin with."""
        return self._sums.setdefault(kind, [[1.0, 1.0] for _ in self._cheap])

    def best(self, values: list[float]) -> int:
        """The model of the highest utility."""
        return max(range(len(values)), key=lambda model: self._quality * values[model] + self._cheap[model])

    def learn(self, prompt: Prompt, model: int, score: float) -> None:
        pair = self.sums(prompt.kind)[model]
        pair[0] += score
        pair[1] += 1.0 - score


class EpsilonGreedy(Counting):
    """The best mean so far, but for one prompt in ten any model."""

    def choose(self, prompt: Prompt) -> int:
        if self._rng.random() < EPSILON:
            return self._rng.randrange(len(self._cheap))
        return self.best([good / (good + bad) for good, bad in self.sums(prompt.kind)])


class BetaSampling(Counting):
    """Thompson sampling whose evidence never fades."""

    def choose(self, prompt: Prompt) -> int:
        return self.best([self._rng.betavariate(good, bad) for good, bad in self.sums(prompt.kind)])
