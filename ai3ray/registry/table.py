"""Read `models.toml`: cards, aliases, planners and the user's own prices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from ai3ray.domain.frozen import Frozen
from ai3ray.domain.plan import KINDS
from ai3ray.errors import TOML_NOUNS, SettingsError, first_problem
from ai3ray.registry.cards import ModelCard
from ai3ray.registry.prices import Rates
from ai3ray.settings.configured import embedded_model_files
from ai3ray.settings.model import Settings

FREE = Rates(input=0, output=0)
"""The price of a model that runs on this computer."""

_TABLES: dict[str, type] = {"models": dict, "aliases": dict, "planners": list, "prices": dict}
_NAMES: dict[type, str] = {dict: "table", list: "list"}


class ModelTable(Frozen):
    """The checked contents of `models.toml`."""

    cards: tuple[ModelCard, ...]
    """In the order of the file, then those named only by a provider's `models`."""
    aliases: dict[str, str]
    """Current `provider/model` by old id."""
    planners: tuple[str, ...]
    """Best first, as `provider/model`."""
    prices: dict[str, Rates]
    """Prices that override genai-prices, by `provider/model`."""


def read_table(settings: Settings) -> ModelTable:
    """Read the models of these settings, limited and extended by each provider's `models`.

    Raises:
        SettingsError: a table is invalid; names file and table.
    """
    data = settings.models
    for key, value in data.items():
        if key not in _TABLES:
            raise SettingsError(f"{_source(settings, key)}: there is no table {key!r}")
        if not isinstance(value, _TABLES[key]):
            raise SettingsError(f"{_source(settings, key)}: {key} has to be a {_NAMES[_TABLES[key]]}")
    known = tuple(_as_installed(_card(settings, name, table), settings) for name, table in _tables(settings, "models"))
    served = {name: provider.models for name, provider in settings.providers.items()}
    kept = (card for card in known if not served[card.provider] or card.id in served[card.provider])
    cards = (*kept, *_provider_models(known, settings))
    names = {card.name for card in known}
    prices = {_target(known, name): _rates(settings, name, table) for name, table in _tables(settings, "prices")}
    return ModelTable(
        cards=cards,
        aliases={old: _known(settings, names, f"aliases.{old}", new) for old, new in data.get("aliases", {}).items()},
        planners=tuple(_known(settings, names, "planners", name) for name in data.get("planners", ())),
        prices={card.name: FREE for card in cards if _is_local(card, settings)} | prices,
    )


def _tables(settings: Settings, key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    tables = settings.models.get(key, {})
    for name, table in tables.items():
        if not isinstance(table, Mapping):
            raise SettingsError(f"{_source(settings, f'{key}.{name}')}: [{key}.{name}] has to be a table")
        yield name, table


def _card(settings: Settings, name: str, table: Mapping[str, Any]) -> ModelCard:
    where = f"{_source(settings, f'models.{name}')}: [models.{name}]"
    if "provider" not in table:
        raise SettingsError(f"{where}: provider is missing")
    if table["provider"] not in settings.providers:
        known = ", ".join(settings.providers)
        raise SettingsError(f"{where}: there is no provider {table['provider']!r}, only {known}")
    try:
        return ModelCard.model_validate({"id": name, **table, "quality": _quality(table.get("quality", {}), where)})
    except ValidationError as error:
        problem = first_problem(error, TOML_NOUNS)
        if problem.unknown:
            raise SettingsError(f"{where} knows no {problem.field!r}") from error
        raise SettingsError(f"{where}: {problem.field} is {problem.value!r}: {problem.demand}") from error


def _is_local(card: ModelCard, settings: Settings) -> bool:
    return settings.providers[card.provider].wire == "local"


def _as_installed(card: ModelCard, settings: Settings) -> ModelCard:
    """Return the embedded model's card, renamed after the GGUF file that replaces the model."""
    if settings.local_model is None or not _is_local(card, settings):
        return card
    name = embedded_model_files(settings).model_id
    return card.model_copy(update={"id": name, "demo": name})


def _quality(table: object, where: str) -> dict[str, float]:
    """Return a prior for every kind: its own, else `all`."""
    given = {"all": table} if isinstance(table, int | float) else table
    if not isinstance(given, Mapping):
        raise SettingsError(f"{where}: quality has to be a number or a table of numbers by kind")
    for kind, value in given.items():
        if kind != "all" and kind not in KINDS:
            raise SettingsError(f"{where}: quality has no kind {kind!r}, only all, {', '.join(KINDS)}")
        if not isinstance(value, int | float) or not 0 <= value <= 1:
            raise SettingsError(f"{where}: quality of {kind} is {value!r}: it has to be a number from 0 to 1")
    return {
        kind: float(given[kind] if kind in given else given["all"]) for kind in KINDS if kind in given or "all" in given
    }


def _rates(settings: Settings, name: str, table: Mapping[str, Any]) -> Rates:
    try:
        return Rates.model_validate(table)
    except ValidationError as error:
        where = f"{_source(settings, f'prices.{name}')}: [prices.{name}]"
        raise SettingsError(f"{where}: {first_problem(error, TOML_NOUNS).message}") from error


def _target(cards: tuple[ModelCard, ...], name: str) -> str:
    """Return the `provider/model` of a price table; a bare id names its only model."""
    named = [card.name for card in cards if name in (card.id, card.name)]
    return named[0] if len(named) == 1 else name


def _known(settings: Settings, names: set[str], key: str, target: object) -> str:
    if target not in names:
        raise SettingsError(f"{_source(settings, key)}: {key} names {target!r}, which has no [models] table")
    return str(target)


def _provider_models(known: tuple[ModelCard, ...], settings: Settings) -> Iterator[ModelCard]:
    """Yield cards of ids that only a provider's `models` names, with abilities from the same id elsewhere."""
    names = {card.name for card in known}
    for provider, table in settings.providers.items():
        for model in table.models:
            if f"{provider}/{model}" not in names:
                alike = next((card for card in known if card.id == model), ModelCard(provider=provider, id=model))
                yield alike.model_copy(update={"provider": provider})


def _source(settings: Settings, key: str) -> str:
    return settings.sources.get(f"models.toml:{key}", "models.toml")
