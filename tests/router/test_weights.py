"""Presets, and the mistakes one can make in router.toml."""

from datetime import date
from pathlib import Path

import pytest

from ai3ray.errors import SettingsError
from ai3ray.pool.lease import LeaseRequest
from ai3ray.registry.registry import Registry
from ai3ray.router.rank import rank
from ai3ray.router.weights import Weights, load_weights
from ai3ray.router.wish import Conditions
from ai3ray.settings import Settings, load_settings


@pytest.fixture
def load(tmp_path: Path):
    def load(router: str = "") -> Settings:
        (tmp_path / "router.toml").write_text(router)
        return load_settings(env={"AI3_HOME": str(tmp_path / "home")}, cwd=tmp_path)

    return load


@pytest.mark.parametrize("preset", ["balanced", "fast", "cheap", "best"])
def test_every_preset_loads(load, preset):
    assert load_weights(load(f"preset = '{preset}'")).success > 0


def test_balanced_is_the_default_and_one_weight_can_be_changed(load):
    changed = load_weights(load("[presets.balanced]\ncost = 9"))
    assert changed == load_weights(load()).model_copy(update={"cost": 9.0})


def test_a_preset_of_ones_own_has_the_weights_it_names(load):
    assert load_weights(load("preset='mine'\n[presets.mine]\ncost=1")) == Weights(cost=1)


@pytest.mark.parametrize(
    ("router", "message"),
    [
        ("preset = 'greedy'", "there is no preset 'greedy', only balanced, fast, cheap, best"),
        ("[presets.fast]\ncost = -1", "[presets.fast] cost is -1: a weight is never negative"),
        ("[presets.fast]\ncolour = 1", "[presets.fast] has no weight 'colour', only quality, tier"),
        ("[presets.fast]\ncost = 'much'", "[presets.fast] cost:"),
        ("[presets]\nfast = 3", "[presets.fast]"),
        ("[presets.nothing]", "[presets.nothing] has no weight above 0"),
        ("presets = 1", "presets has to be a table"),
        ("colour = 1", "there is no key 'colour'"),
    ],
)
def test_a_mistake_names_file_and_key(load, tmp_path, router, message):
    with pytest.raises(SettingsError) as raised:
        load_weights(load(router))
    assert raised.value.message.startswith(f"{tmp_path / 'router.toml'}: {message}")
    assert "\n" not in raised.value.message


def choice(settings: Settings, tier: str, *providers: str) -> str:
    registry = Registry.load(settings)
    cards = registry.cards(providers)
    prices = {card.name: registry.prices.list_price(card.provider, card.id) for card in cards}
    request = LeaseRequest(request_id="r", run_id="run", tier=tier, input_tokens=1000)
    conditions = Conditions(today=date(2026, 11, 22), prices=prices)
    return rank(request, cards, conditions, load_weights(settings))[0].model


@pytest.mark.parametrize(
    ("tier", "model"),
    [
        ("small", "anthropic/claude-haiku-5-5"),
        ("standard", "anthropic/claude-sonnet-5-5"),
        ("frontier", "anthropic/claude-opus-5-5"),
    ],
)
def test_balanced_gives_each_tier_its_current_model(load, tier, model):
    assert choice(load(), tier, "anthropic") == model


def test_presets_do_what_they_are_called(load):
    everyone = ("anthropic", "openai", "xai")
    cards = {card.name: card for card in Registry.load(load()).cards()}
    best = cards[choice(load("preset='best'"), "standard", *everyone)]
    cheap = cards[choice(load("preset='cheap'"), "standard", *everyone)]
    fast = cards[choice(load("preset='fast'"), "standard", *everyone)]
    assert best.tier == "frontier"
    assert cheap.tier == "small"
    assert fast.tier == "small"


def test_balanced_lets_the_providers_share_the_standard_work(load):
    """Their standard models are so near to each other that a busy provider is passed over for an idle one."""
    settings = load()
    registry = Registry.load(settings)
    cards = registry.cards(("anthropic", "openai", "xai"))
    prices = {card.name: registry.prices.list_price(card.provider, card.id) for card in cards}
    request = LeaseRequest(request_id="r", run_id="run", input_tokens=1000)
    load_: dict[str, float] = dict.fromkeys(("anthropic", "openai", "xai"), 0.0)
    chosen = []
    for _ in range(9):
        conditions = Conditions(today=date(2026, 11, 22), prices=prices, load=load_)
        provider = rank(request, cards, conditions, load_weights(settings))[0].model.partition("/")[0]
        load_[provider] += 1 / 3
        chosen.append(provider)
    assert {provider: chosen.count(provider) for provider in load_} == dict.fromkeys(load_, 3)


def test_a_model_of_known_price_is_preferred_among_equals(load):
    assert choice(load(), "standard", "openai") == "openai/gpt-6.1-sol"
