from dataclasses import dataclass, field
from datetime import date

import pytest

from ai3ray.pool.lease import LeaseRequest
from ai3ray.registry.cards import ModelCard
from ai3ray.registry.prices import Rates
from ai3ray.router.rank import rank
from ai3ray.router.weights import Weights
from ai3ray.router.wish import Conditions
from ai3ray.telemetry.live import LiveStats

ALL = Weights(quality=1, tier=1, success=1, latency=1, cost=1, load=1)


@dataclass
class Question:
    """A routing question, asked with everything alike but what a test changes."""

    cards: list[ModelCard] = field(default_factory=lambda: [card("a/one"), card("b/two")])
    weights: Weights = ALL
    conditions: dict[str, object] = field(default_factory=dict)

    def ask(self, **wish: object):
        request = LeaseRequest(request_id="r", run_id="run", **wish)
        return rank(request, self.cards, Conditions(**{"today": date(2026, 11, 22), **self.conditions}), self.weights)


def card(name: str, **traits: object) -> ModelCard:
    provider, model = name.split("/")
    return ModelCard(provider=provider, id=model, **traits)


def seen(good: int = 0, bad: int = 0, seconds: float = 1.0) -> LiveStats:
    stats = LiveStats(lambda: 0.0)
    for success in [True] * good + [False] * bad:
        stats.begin()
        stats.end(success=success, seconds=seconds)
    return stats


@pytest.fixture
def question() -> Question:
    return Question()


@pytest.fixture
def make():
    """`card`, `seen` and `rates`, for tests that put their own question."""

    class Make:
        card = staticmethod(card)
        seen = staticmethod(seen)

        @staticmethod
        def rates(usd: float) -> Rates:
            return Rates(input=usd, output=usd)

    return Make
