"""Configured and embedded models."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ai3ray.domain.events import Warned
from ai3ray.domain.request import RunRequest
from ai3ray.domain.run import RunState
from ai3ray.registry.registry import Registry
from ai3ray.settings.model import Settings


class ConfiguredModels:
    """The models of one engine."""

    def __init__(self, registry: Registry, settings: Settings, configured: Collection[str]) -> None:
        self._registry = registry
        self._unnamed = registry.default_cards(configured)
        self._embedded = {card.name: card.demo for card in registry.cards(configured) if card.demo}
        alone = bool(self._unnamed) and all(card.demo for card in self._unnamed)
        variables = key_variables(settings)
        either = " or ".join(filter(None, (", ".join(variables[:-1]), *variables[-1:])))
        self._advice = f"set {either} for real quality" if alone else ""

    def can_plan(self, request: RunRequest) -> bool:
        """Return whether an allowed model can plan."""
        bound = (request.planner_model,) if request.planner_model else request.models
        cards = [self._registry.card(name) for name in bound] if bound else self._unnamed
        return any(card.plans for card in cards)

    def embedded(self, state: RunState) -> tuple[str, ...]:
        """Return titles of embedded models that wrote in this run."""
        wrote = {call.model for call in state.attempts.values() if call.status == "succeeded" and call.role != "judge"}
        return tuple(title for name, title in self._embedded.items() if name in wrote)

    def warning(self, embedded: Sequence[str]) -> Warned:
        """Return the warning about embedded models."""
        advice = f": {self._advice}" if self._advice else ""
        message = f"{' and '.join(embedded)} is a small embedded demo model on this computer{advice}"
        return Warned(code="demo_model", message=message)

    def note(self, embedded: Sequence[str], source: str | None) -> str:
        """Return the answer's last line, for a plan from `source`."""
        planned = "Planned by template, written" if source == "template" else "Written"
        advice = f"; {self._advice}" if self._advice else ""
        return f"*{planned} by {' and '.join(embedded)} (embedded demo model){advice}.*"


def key_variables(settings: Settings) -> tuple[str, ...]:
    """Return the variables for keys, in configuration order."""
    return tuple(provider.api_key_env for provider in settings.providers.values() if provider.api_key_env)
