"""One router: it explores, learns from calls and verdicts, and begins with what the journal knows."""

from collections import Counter
from dataclasses import replace

import pytest

from ai3ray.domain.call import Usage
from ai3ray.domain.lease import LeaseRequest
from ai3ray.registry.cards import ModelCard
from ai3ray.router.candidates import candidate_set
from ai3ray.router.conditions import Conditions, PricedModel
from ai3ray.router.draws import Draws
from ai3ray.router.router import Router
from ai3ray.settings.model import Settings

from .conftest import TODAY, Random

WEIGHTS = {"quality": 0.6, "success": 0.3, "latency": 0.1}


class Desk:
    """A router and three models that differ only in what is seen of them."""

    def __init__(self, clock, exploration: float = 1.0, seed: int | None = 1, **table: object) -> None:
        table = {"presets": {"balanced": WEIGHTS}, "exploration": exploration, **table}
        if seed is not None:
            table["seed"] = seed
        self.router = Router(Settings(router=table), clock)
        self.cards = {name: ModelCard(provider=name, id="m", quality={"coding": 0.7}) for name in "abc"}
        self.priced_models = {name: PricedModel.of(card) for name, card in self.cards.items()}
        self.conditions = Conditions(today=TODAY)

    def choose(self, kind: str = "coding", **conditions: object) -> str:
        request = LeaseRequest(request_id="r", run_id="run", kind=kind)
        candidates = candidate_set(request, self.priced_models.values(), TODAY)
        return self.router.rank(request, candidates, replace(self.conditions, **conditions)).best.provider

    def shares(self, count: int = 300, **request: object) -> Counter[str]:
        return Counter(self.choose(**request) for _ in range(count))

    def call(self, name: str, *, success: bool | None = True, seconds: float = 1.0, times: int = 1) -> None:
        for _ in range(times):
            self.router.call_began(self.priced_models[name])
            usage = Usage(input_tokens=10, output_tokens=600)
            self.router.call_ended(f"{name}/m", success=success, seconds=seconds, cost_usd=0.01, usage=usage)

    def judge(self, name: str, score: float, kind: str = "coding", times: int = 1) -> None:
        for _ in range(times):
            self.router.record_verdict(kind, self.cards[name], passed=score > 0.5, score=score)


@pytest.fixture
def desk(clock) -> Desk:
    return Desk(clock)


def test_equals_share_the_work(desk):
    assert min(desk.shares().values()) > 60


def test_the_same_seed_makes_the_same_choices_and_another_seed_others(clock):
    def choices(seed):
        desk = Desk(clock, seed=seed)
        return [desk.choose() for _ in range(50)]

    assert choices(1) == choices(1) != choices(2)
    assert choices(None) != choices(None)


def test_without_exploration_the_best_by_expectation_is_always_taken(clock):
    desk = Desk(clock, exploration=0.0)
    desk.judge("b", 0.9, times=3)
    assert set(desk.shares()) == {"b"}


def test_verdicts_of_a_kind_decide_who_gets_that_kind(desk):
    for _ in range(15):
        desk.judge("a", 0.3, kind="coding")
        desk.judge("b", 0.9, kind="coding")
        desk.judge("c", 0.6, kind="coding")
    shares = desk.shares(kind="coding")
    assert shares["b"] > 250
    assert desk.shares(kind="writing")["b"] < 250


def test_one_verdict_is_heard_at_once(clock):
    desk = Desk(clock, exploration=0.0)
    before = desk.choose()
    desk.judge(before, 0.1)
    assert desk.choose() != before


def test_a_preview_draws_nothing(desk):
    request = LeaseRequest(request_id="r", run_id="run", kind="coding")
    candidates = candidate_set(request, desk.priced_models.values(), TODAY)
    seen = {desk.router.preview(request, candidates, desk.conditions).best.name for _ in range(50)}
    assert seen == {"a/m"}


def test_a_model_that_fails_is_avoided_and_tried_again_while_others_work(desk):
    desk.call("a", success=False, times=20)
    assert desk.shares(100)["a"] == 0
    tried_at = []
    for turn in range(400):
        chosen = desk.choose()
        desk.call(chosen, success=True)
        if chosen == "a":
            tried_at.append(turn)
    assert tried_at[0] > 20
    assert len(tried_at) > 30


def test_time_alone_forgives_failures(desk, clock):
    desk.call("a", success=False, times=20)
    assert desk.shares(100)["a"] == 0
    clock.now += 3600
    assert desk.shares(300)["a"] > 50


def test_what_says_nothing_of_a_model_changes_nothing(desk):
    before = desk.router.live.of("a/m").outcomes()
    desk.call("a", success=None, times=50)
    assert desk.router.live.of("a/m").outcomes() == before


ROWS = [
    {"model": f"{name}/m", "calls": 100, "successes": good, "failures": 100 - good, "p50_s": 2.0, "cost_usd": 1.0}
    for name, good in (("a", 10), ("b", 99), ("c", 95))
]


def test_it_begins_with_the_calls_that_the_journal_knows(desk):
    desk.router.load_call_stats(ROWS, {"a/m": desk.cards["a"]}.get, ["b/m"] * 3 + ["c/m"])
    assert desk.shares()["a"] < 30
    live = desk.router.live
    assert (live.of("a/m").calls, live.of("a/m").share, live.traffic("b/m")) == (100, 0.1, 0.75)


def test_it_begins_with_the_verdicts_that_the_journal_knows(clock):
    desk = Desk(clock, exploration=0.0)
    kinds = [
        {"model": "c/m", "kind": "coding", "verdicts": 40, "mean_reward": 0.95},
        {"model": "b/m", "kind": "coding", "verdicts": 0, "mean_reward": None},
        {"model": "gone/m", "kind": "coding", "verdicts": 9, "mean_reward": 0.1},
    ]
    cards = {card.name: card for card in desk.cards.values()}
    desk.router.load_verdict_stats(kinds, cards.get)
    assert desk.choose(kind="coding") == "c"


def test_a_warm_start_does_not_send_everything_to_one_model(desk):
    """What the journal knows says little: the best of yesterday leads, and nobody is left out."""
    even = [{**row, "successes": 99 - number, "failures": 1 + number} for number, row in enumerate(ROWS)]
    cards = {card.name: card for card in desk.cards.values()}
    desk.router.load_call_stats(even, cards.get)
    assert min(desk.shares().values()) > 40


def test_draws_have_the_spread_and_do_not_repeat_each_other():
    draws = Draws(Random(3), 0.5)
    seen = [number for _ in range(400) for number in draws(20)]
    mean = sum(seen) / len(seen)
    spread = (sum((number - mean) ** 2 for number in seen) / len(seen)) ** 0.5
    assert abs(mean) < 0.05
    assert spread == pytest.approx(0.5, rel=0.1)
    assert draws(20) != draws(20)
    assert len(draws(10_000)) == 10_000
