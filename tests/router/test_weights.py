"""Presets, and the mistakes one can make in router.toml."""

from datetime import date
from pathlib import Path

import pytest

from ai3ray.domain.lease import LeaseRequest
from ai3ray.errors import SettingsError
from ai3ray.registry.registry import Registry
from ai3ray.router.candidates import candidate_set
from ai3ray.router.conditions import Conditions, PricedModel
from ai3ray.router.router import Router
from ai3ray.router.tuning import Evidence, Tuning, load_tuning
from ai3ray.router.weights import Weights, load_weights
from ai3ray.settings.load import load_settings
from ai3ray.settings.model import Settings


@pytest.fixture
def load(tmp_path: Path):
    def load(router: str = "", **env: str) -> Settings:
        (tmp_path / "router.toml").write_text(router)
        return load_settings(env={"AI3_HOME": str(tmp_path / "home"), **env}, cwd=tmp_path)

    return load


@pytest.mark.parametrize("preset", ["balanced", "fast", "cheap", "best"])
def test_every_preset_loads_and_adds_up_to_one(load, preset):
    weights = load_weights(load(f"preset = '{preset}'"))
    assert sum(weights.model_dump().values()) == pytest.approx(1.0)


def test_the_variable_goes_before_the_file(load):
    cheap = load_weights(load("preset = 'cheap'"))
    assert load_weights(load("preset = 'best'", AI3_ROUTER_PRESET="cheap")) == cheap
    with pytest.raises(SettingsError, match=r"^AI3_ROUTER_PRESET: there is no preset 'greedy', only balanced, fast"):
        load_weights(load(AI3_ROUTER_PRESET="greedy"))


def test_balanced_is_the_default_and_weights_of_it_can_be_changed(load):
    changed = load_weights(load("[presets.balanced]\ncost = 0.18\nquality = 0.26"))
    assert changed == load_weights(load()).model_copy(update={"cost": 0.18, "quality": 0.26})


def test_a_preset_of_ones_own_has_the_weights_it_names(load):
    assert load_weights(load("preset='mine'\n[presets.mine]\ncost=1")) == Weights(cost=1)


@pytest.mark.parametrize(
    ("router", "message"),
    [
        ("preset = 'greedy'", "there is no preset 'greedy', only balanced, fast, cheap, best"),
        ("[presets.fast]\ncost = -1", "[presets.fast] cost is -1: it has to be at least 0"),
        ("[presets.fast]\ncolour = 1", "[presets.fast] has no weight 'colour', only quality, tier"),
        ("[presets.fast]\ncost = 'much'", "[presets.fast] cost is much: it has to be a number"),
        ("[presets.fast]\ncost = inf", "[presets.fast] cost is inf: it has to be a finite number"),
        ("[presets]\nfast = 3", "[presets.fast]"),
        ("[presets.nothing]", "[presets.nothing] has no weight above 0"),
        ("[presets.fast]\ncost = 0.5", "[presets.fast] adds up to 1.48, not 1: quality 0.1 + tier 0.06 + success 0.3"),
        ("[presets.mine]\ncost = 0.5\nload = 0.4", "[presets.mine] adds up to 0.9, not 1: cost 0.5 + load 0.4"),
        ("presets = 1", "presets has to be a table"),
        ("colour = 1", "there is no key 'colour'"),
        ("exploration = -1", "exploration is -1:"),
        ("seed = 'x'", "seed is 'x':"),
        ("[evidence]\nanswers_kept = 0", "evidence.answers_kept is 0:"),
        ("[evidence]\ncolour = 0", "[evidence] has no key 'colour', only answers_kept"),
    ],
)
def test_a_mistake_names_file_and_key(load, tmp_path, router, message):
    with pytest.raises(SettingsError) as raised:
        Router(load(router), lambda: 0.0)
    assert raised.value.message.startswith(f"{tmp_path / 'router.toml'}: {message}")
    assert "\n" not in raised.value.message


def test_what_ships_is_what_the_code_takes_for_granted(load):
    tuning = load_tuning(load())
    assert tuning.evidence == Evidence()
    assert (tuning.exploration, tuning.seed) == (0.5, None)
    assert Tuning().exploration == 0.0


def choice(settings: Settings, tier: str, *providers: str, **conditions: object) -> str:
    registry = Registry.load(settings)
    priced_models = [
        PricedModel.of(card, registry.prices.list_price(card.provider, card.id)) for card in registry.cards(providers)
    ]
    request = LeaseRequest(request_id="r", run_id="run", tier=tier, input_tokens=1000)
    day = date(2026, 11, 22)
    moment = Conditions(**{"today": day, **conditions})
    return Router(settings, lambda: 0.0).preview(request, candidate_set(request, priced_models, day), moment).best.name


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
    busy: dict[str, float] = dict.fromkeys(("anthropic", "openai", "xai"), 0.0)
    chosen = []
    for _ in range(9):
        provider = choice(settings, "standard", *busy, load=busy).partition("/")[0]
        busy[provider] += 1 / 3
        chosen.append(provider)
    assert {provider: chosen.count(provider) for provider in busy} == dict.fromkeys(busy, 3)


def test_a_model_of_known_price_is_preferred_among_equals(load):
    assert choice(load(), "standard", "openai") == "openai/gpt-6.1-sol"
