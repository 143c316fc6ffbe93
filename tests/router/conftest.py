from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from random import Random

import pytest

from ai3ray.domain.call import Usage
from ai3ray.domain.lease import LeaseRequest
from ai3ray.registry.cards import ModelCard
from ai3ray.registry.prices import Rates
from ai3ray.router.candidates import candidate_set
from ai3ray.router.conditions import Conditions, PricedModel
from ai3ray.router.draws import Draws
from ai3ray.router.posterior import Posterior
from ai3ray.router.rank import Ranking, rank
from ai3ray.router.score_cache import ScoreCache
from ai3ray.router.tuning import Evidence
from ai3ray.router.weights import Weights
from ai3ray.telemetry.live_stats import LiveStats

TODAY = date(2026, 11, 22)
ALL = Weights(quality=1, tier=1, success=1, latency=1, cost=1, load=1)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Question:
    """A routing question, asked with everything alike but what a test changes."""

    cards: list[ModelCard] = field(default_factory=lambda: [card("a/one"), card("b/two")])
    weights: Weights = ALL
    conditions: dict[str, object] = field(default_factory=dict)
    prices: dict[str, Rates] = field(default_factory=dict)
    live: LiveStats = field(default_factory=lambda: LiveStats(Clock()))
    posterior: Posterior = field(default_factory=lambda: Posterior(Clock(), Evidence()))

    def choice(self, draw=None, **request: object) -> Ranking:
        request = LeaseRequest(request_id="r", run_id="run", **request)
        priced_models = [PricedModel.of(one, self.prices.get(one.name)) for one in self.cards]
        score_cache = ScoreCache(self.weights, self.live, self.posterior)
        conditions = Conditions(**{"today": TODAY, **self.conditions})
        return rank(request, candidate_set(request, priced_models, TODAY), conditions, score_cache, draw)

    def ask(self, draw=None, **request: object):
        return self.choice(draw, **request).candidates()

    def shares(self, asked: int, seed: int = 1, spread: float = 1.0, **request: object) -> dict[str, float]:
        """How often each model is chosen when exploring."""
        draw = Draws(Random(seed), spread)
        chosen = [self.choice(draw, **request).best.name for _ in range(asked)]
        return {name: chosen.count(name) / asked for name in (one.name for one in self.cards)}

    def see(self, name: str, good: int = 0, bad: int = 0, seconds: float = 1.0, tokens: int = 600) -> None:
        """Calls of a model."""
        stats = self.live.of(name)
        for success in [True] * good + [False] * bad:
            stats.begin()
            usage = Usage(input_tokens=100, output_tokens=tokens)
            stats.end(success=success, seconds=seconds, usage=usage)


def card(name: str, **traits: object) -> ModelCard:
    provider, model = name.split("/")
    return ModelCard(provider=provider, id=model, **traits)


def fixed(*numbers: float):
    """Draws that are no chance."""

    def draw(count: int) -> Sequence[float]:
        return numbers[:count]

    return draw


@pytest.fixture
def question() -> Question:
    return Question()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make():
    """`card`, `rates` and `fixed`, for tests that put their own question."""

    class Make:
        card = staticmethod(card)
        fixed = staticmethod(fixed)

        @staticmethod
        def rates(usd: float) -> Rates:
            return Rates(input=usd, output=usd)

    return Make
