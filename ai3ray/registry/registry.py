"""Find models by the names that users give."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, date, datetime
from difflib import get_close_matches

from ai3ray.domain.frozen import Frozen
from ai3ray.errors import MissingKey, UnknownModel
from ai3ray.registry.cards import ModelCard
from ai3ray.registry.prices import RateTable
from ai3ray.registry.table import ModelTable, read_table
from ai3ray.settings.model import Settings


def utc_today() -> date:
    """Return today's date in UTC, by which models retire."""
    return datetime.now(UTC).date()


class ResolvedModel(Frozen):
    """The model found for a name."""

    card: ModelCard
    warnings: tuple[str, ...] = ()
    """Messages for the user, such as that the name is an old one."""


class Registry:
    """Cards, aliases and prices.

    Args:
        table: the contents of `models.toml`.
        providers: names of all providers in the settings, with a key or without.
        today: returns the date that decides which models are retired.
    """

    def __init__(self, table: ModelTable, providers: Collection[str], today: Callable[[], date] = utc_today) -> None:
        self._cards = {card.name: card for card in table.cards}
        self._aliases = table.aliases
        self._planners = table.planners
        self._providers = tuple(providers)
        self.today = today
        self.prices = RateTable(self._cards, table.prices)

    @classmethod
    def load(cls, settings: Settings, today: Callable[[], date] = utc_today) -> Registry:
        """Build the registry of these settings. Raises SettingsError naming file and table."""
        return cls(read_table(settings), settings.providers, today)

    def cards(self, providers: Collection[str] | None = None) -> tuple[ModelCard, ...]:
        """Return the models of these providers (None: of all), in the order of `models.toml`."""
        return tuple(card for card in self._cards.values() if providers is None or card.provider in providers)

    def default_cards(self, configured: Collection[str]) -> tuple[ModelCard, ...]:
        """Return the models for calls that name none; demo models only if no other provider is configured."""
        cards = self.cards(configured)
        demos = {card.provider for card in cards if card.demo}
        return tuple(card for card in cards if card.demo is None) if set(configured) - demos else cards

    def card(self, name: str) -> ModelCard:
        """Return the card of a `provider/model`, a blank one for a passed-through id. Raises UnknownModel."""
        return self._cards.get(name) or self.resolve(name).card

    def retired(self, card: ModelCard) -> bool:
        """Return True if the model is no longer called."""
        return card.retired_on is not None and card.retired_on <= self.today()

    def resolve(self, name: str) -> ResolvedModel:
        """Find the model of a name.

        Args:
            name: `provider/model`, a bare id that only one provider has, an old id, or `provider/anything`.

        Raises:
            UnknownModel: there is none; the message suggests similar names.
        """
        listed = self._listed(name)
        if listed is not None:
            return self._or_successor(listed)
        provider, slash, model = name.partition("/")
        current = self._aliases.get(name)
        if current is None and slash and self._aliases.get(model, "").startswith(f"{provider}/"):
            current = self._aliases[model]
        target = self._cards.get(current) if current else None
        if target is not None:
            return ResolvedModel(card=target, warnings=(f"{name} is an old id: {target.name} is used instead",))
        if slash and model and provider in self._providers:
            warning = f"{name} is not in the registry; passed through unchanged, price unknown"
            return ResolvedModel(card=ModelCard(provider=provider, id=model, listed=False), warnings=(warning,))
        known = [*self._cards, *(card.id for card in self._cards.values()), *self._aliases]
        near = get_close_matches(name, known, n=3, cutoff=0.6)
        if near:
            raise UnknownModel(f"there is no model {name!r}; did you mean {' or '.join(near)}?")
        raise UnknownModel(f"there is no model {name!r}; `ai3 models` lists them, and provider/model names any other")

    def planner(self, settings: Settings, configured: Collection[str]) -> ModelCard:
        """Return the model that plans: the configured one, else the best available.

        Raises:
            UnknownModel: AI3_PLANNER_MODEL names no model.
            MissingKey: its provider, or every provider, lacks a key; the message names the variable.
        """
        if settings.planner_model:
            card = self.resolve(settings.planner_model).card
            if card.provider not in configured:
                raise MissingKey(f"{card.name} cannot plan: {_remedy(settings, card.provider)}", "planner_model")
            return card
        able = [card for card in self.cards(configured) if card.plans and not self.retired(card)]
        if not able:
            raise MissingKey(f"no model can plan: {_remedy(settings, *settings.providers)}", "planner_model")
        preferred = {name: rank for rank, name in enumerate(self._planners)}
        return min(
            able,
            key=lambda card: (preferred.get(card.name, len(preferred)), -card.quality.get("reasoning", 0.5), card.name),
        )

    def _listed(self, name: str) -> ModelCard | None:
        if name in self._cards:
            return self._cards[name]
        same = [card for card in self._cards.values() if card.id == name]
        if len(same) > 1:
            names = " or ".join(card.name for card in same)
            raise UnknownModel(f"{name!r} is served by more than one provider; use {names}")
        return same[0] if same else None

    def _or_successor(self, card: ModelCard) -> ResolvedModel:
        if card.retired_on is None:
            return ResolvedModel(card=card)
        successor = self._cards.get(f"{card.provider}/{card.successor}")
        if self.retired(card) and successor:
            return ResolvedModel(
                card=successor,
                warnings=(f"{card.name} was retired on {card.retired_on}: {successor.name} is used instead",),
            )
        verb = "was retired" if self.retired(card) else "is retired"
        hint = f"; its successor is {card.successor}" if card.successor else ""
        return ResolvedModel(card=card, warnings=(f"{card.name} {verb} on {card.retired_on}{hint}",))


def _remedy(settings: Settings, *providers: str) -> str:
    named = [settings.providers[name].api_key_env for name in providers if name in settings.providers]
    variables = [variable for variable in named if variable]
    return f"no API key is set; set {' or '.join(variables)}" if variables else "no provider is configured"
