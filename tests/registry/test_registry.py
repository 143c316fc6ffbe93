"""Every name a user may type, and what it stands for."""

from datetime import date

import pytest

from ai3ray.domain.call import Usage
from ai3ray.domain.plan import KINDS
from ai3ray.errors import MissingKey, SettingsError, UnknownModel
from ai3ray.registry.registry import Registry

ALIASES = {
    "claude-3-7-sonnet-latest": "anthropic/claude-sonnet-5-5",
    "gpt-4": "openai/gpt-6.1-sol",
    "gpt-3.5-turbo": "openai/gpt-6-luna",
    "grok-3": "xai/grok-4.3",
    "grok-4": "xai/grok-4.7",
    "grok-4-fast": "xai/grok-4.3",
}


@pytest.mark.parametrize(("old", "new"), ALIASES.items())
def test_old_ids_are_aliases_with_a_warning(registry, old, new):
    provider = new.partition("/")[0]
    for name in (old, f"{provider}/{old}"):
        resolved = registry.resolve(name)
        assert resolved.card.name == new
        assert resolved.warnings == (f"{name} is an old id: {new} is used instead",)


def test_a_model_is_found_by_full_name_and_by_bare_id(registry):
    for name in ("anthropic/claude-opus-5-5", "claude-opus-5-5"):
        resolved = registry.resolve(name)
        assert resolved.card.name == "anthropic/claude-opus-5-5"
        assert resolved.warnings == ()
        assert resolved.card.listed


def test_anything_of_a_known_provider_is_passed_through_with_a_warning_and_no_price(registry):
    resolved = registry.resolve("openai/ft:gpt-6-luna:me/v2")
    assert (resolved.card.provider, resolved.card.id) == ("openai", "ft:gpt-6-luna:me/v2")
    assert not resolved.card.listed
    assert len(resolved.warnings) == 1
    assert registry.prices.list_price("openai", "ft:gpt-6-luna:me/v2") is None


@pytest.mark.parametrize("name", ["clade-opus-5-5", "nobody/claude-opus-5-5", "openai/", "", "zzz"])
def test_unknown_names_are_refused(registry, name):
    with pytest.raises(UnknownModel):
        registry.resolve(name)


def test_a_near_miss_gets_a_suggestion(registry):
    with pytest.raises(UnknownModel, match="did you mean claude-opus-5-5"):
        registry.resolve("clade-opus-5-5")


def test_a_bare_id_of_two_providers_is_ambiguous(load_with):
    settings = load_with(ai3="[providers.lab]\nbase_url = 'http://lab'\nmodels = ['claude-opus-5-5']\n")
    registry = Registry.load(settings)
    with pytest.raises(UnknownModel, match="anthropic/claude-opus-5-5 or lab/claude-opus-5-5"):
        registry.resolve("claude-opus-5-5")
    assert registry.resolve("lab/claude-opus-5-5").card.context == 1_000_000


def test_a_providers_own_list_narrows_and_widens_its_models(load_with):
    settings = load_with(ai3="[providers.openai]\nmodels = ['gpt-6-luna', 'brand-new']\n")
    registry = Registry.load(settings)
    assert [card.id for card in registry.cards(("openai",))] == ["gpt-6-luna", "brand-new"]
    assert registry.resolve("brand-new").warnings == ()
    assert registry.cards(("anthropic",)) == Registry.load(load_with()).cards(("anthropic",))


def test_a_retired_model_gives_way_to_its_successor_on_the_day(load_with):
    def on(day: date):
        return Registry.load(load_with(), today=lambda: day).resolve("claude-sonnet-4-5")

    before, after = on(date(2026, 11, 29)), on(date(2026, 11, 30))
    assert before.card.id == "claude-sonnet-4-5"
    assert "is retired on 2026-11-30" in before.warnings[0]
    assert after.card.id == "claude-sonnet-5-5"
    assert "was retired on 2026-11-30" in after.warnings[0]


def test_the_best_configured_planner_plans(load_with):
    settings = load_with()
    registry = Registry.load(settings)
    chosen = [registry.planner(settings, (name,)).name for name in ("anthropic", "openai", "xai")]
    assert chosen == ["anthropic/claude-opus-5-5", "openai/gpt-6.1-sol", "xai/grok-4.7"]
    assert registry.planner(settings, ("xai", "openai")).name == "openai/gpt-6.1-sol"


def test_the_planner_of_a_provider_outside_the_list_is_its_best_at_reasoning(load_with):
    models = "[models.a]\nprovider='lab'\nquality={all=0.4}\n[models.b]\nprovider='lab'\nquality={reasoning=0.9}\n"
    models += "[models.c]\nprovider='lab'\nquality=1.0\nplans=false\n"
    settings = load_with(models, "[providers.lab]\nbase_url='http://lab'\n")
    assert Registry.load(settings).planner(settings, ("lab",)).id == "b"


def test_a_planner_that_was_set_is_taken_or_its_variable_is_asked_for(load_with):
    settings = load_with(AI3_PLANNER_MODEL="grok-4")
    registry = Registry.load(settings)
    assert registry.planner(settings, ("anthropic", "xai")).name == "xai/grok-4.7"
    with pytest.raises(MissingKey, match="XAI_API_KEY"):
        registry.planner(settings, ("anthropic",))


def test_without_any_key_every_variable_is_named(load_with):
    settings = load_with()
    with pytest.raises(MissingKey, match="ANTHROPIC_API_KEY or OPENAI_API_KEY or XAI_API_KEY"):
        Registry.load(settings).planner(settings, ())


def test_current_models_have_what_routing_needs(registry):
    for card in registry.cards():
        assert set(card.quality) == set(KINDS), card.name
        assert card.max_output <= card.context
        assert card.sampling == (card.provider in {"xai", "local"})
    for old in (*ALIASES, "grok-4-0709"):
        assert old not in {card.id for card in registry.cards()}


def test_calls_that_name_no_model_go_to_a_demo_model_only_where_there_is_nothing_else(registry):
    assert [card.name for card in registry.default_cards(("local",))] == ["local/smollm2-135m"]
    assert {card.provider for card in registry.default_cards(("local", "xai"))} == {"xai"}
    assert registry.default_cards(("local", "a-server-without-cards")) == ()


def test_a_file_of_ones_own_takes_the_demo_models_place_and_costs_nothing_either(load_with):
    registry = Registry.load(load_with(AI3_LOCAL_MODEL="weights/Tiny-1.gguf"))
    (card,) = registry.cards(("local",))
    assert (card.name, card.demo, card.plans) == ("local/Tiny-1", "Tiny-1", False)
    usage = Usage(input_tokens=100, output_tokens=100)
    assert registry.prices.cost("local", "Tiny-1", usage) == 0.0


def test_better_tiers_have_better_priors(registry):
    """For the models a provider offers now; its older ones are dearer than they are good."""
    tiers = {"small": 0, "standard": 1, "frontier": 2}
    for kind in KINDS:
        by_tier: dict[int, list[float]] = {0: [], 1: [], 2: []}
        for card in registry.cards():
            by_tier[tiers[card.tier]].append(card.quality[kind])
        assert max(by_tier[0]) < min(by_tier[1]), kind
        assert max(by_tier[1]) < min(by_tier[2]), kind


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ("[models.x]\ntier='small'", "[models.x]: provider is missing"),
        ("[models.x]\nprovider='who'", "[models.x]: there is no provider 'who', only anthropic, openai, xai"),
        ("[models.x]\nprovider='xai'\nquality={painting=1}", "[models.x]: quality has no kind 'painting'"),
        ("[models.x]\nprovider='xai'\nquality={all=2}", "[models.x]: quality of all is 2: it has to be a number"),
        ("[models.x]\nprovider='xai'\nquality='good'", "[models.x]: quality has to be a number or a table"),
        ("[models.x]\nprovider='xai'\ntier='huge'", "[models.x]: tier is 'huge'"),
        ("[models.x]\nprovider='xai'\ncolour=1", "[models.x] knows no 'colour'"),
        ("[models.x]\nprovider='xai'\ncontext='long'", "[models.x]: context is 'long'"),
        ("[models]\nx=1", "[models.x] has to be a table"),
        ("[aliases]\nold='who'", "aliases.old names 'who'"),
        ("planners=['who']", "planners names 'who'"),
        ("[prices.'xai/grok-4.7']\ninput=-1\noutput=1", "[prices.xai/grok-4.7]: input:"),
        ("planners='who'", "planners has to be a list"),
        ("aliases=1", "aliases has to be a table"),
        ("[colours]\nx=1", "there is no table 'colours'"),
    ],
)
def test_a_mistake_in_models_toml_is_named_with_file_and_table(load_with, tmp_path, models, message):
    with pytest.raises(SettingsError) as raised:
        Registry.load(load_with(models))
    assert raised.value.message.startswith(f"{tmp_path / 'models.toml'}: {message}")
    assert "\n" not in raised.value.message
