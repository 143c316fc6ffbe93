"""The weights of the score, from `router.toml`."""

from __future__ import annotations

import math
from typing import Any

from pydantic import Field, ValidationError

from ai3ray.domain.frozen import Frozen
from ai3ray.errors import TOML_NOUNS, SettingsError, first_problem
from ai3ray.router.tuning import Tuning, source_of
from ai3ray.settings.model import Settings

TOLERANCE = 1e-6
"""How far the sum of a preset's weights may be from 1."""
_KEYS = {"preset", "presets", *Tuning.model_fields}


class Weights(Frozen):
    """How much each term counts. The terms lie between 0 and 1; weights that sum to 1 keep the score there, too."""

    quality: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """How good its answers of this kind are: the card's prior, corrected by verdicts."""
    tier: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """How near the model's tier is to the one wanted."""
    success: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """How often its calls succeeded lately."""
    latency: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """How fast it is."""
    cost: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """How cheap it is."""
    load: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """How idle it and its provider are."""


def load_weights(settings: Settings) -> Weights:
    """The weights of the preset in force: AI3_ROUTER_PRESET, else the one that `router.toml` names.

    Raises:
        SettingsError: naming file and key, for an unknown preset, a weight that is none, or weights of a preset
            that do not add up to 1.
    """
    data = settings.router
    for key in data:
        if key not in _KEYS:
            raise SettingsError(f"{source_of(settings, key)}: there is no key {key!r}")
    presets = data.get("presets")
    if not isinstance(presets, dict):
        raise SettingsError(f"{source_of(settings, 'presets')}: presets has to be a table")
    preset, source = _preset(settings)
    if preset not in presets:
        raise SettingsError(f"{source}: there is no preset {preset!r}, only {', '.join(presets)}")
    return {name: _weights(settings, name, table) for name, table in presets.items()}[preset]


def _preset(settings: Settings) -> tuple[Any, str]:
    """The preset in force, and who says so."""
    if settings.router_preset is not None:
        return settings.router_preset, "AI3_ROUTER_PRESET"
    return settings.router.get("preset", "balanced"), source_of(settings, "preset")


def _weights(settings: Settings, preset: str, table: Any) -> Weights:
    where = f"presets.{preset}"
    try:
        weights = Weights.model_validate(table)
    except ValidationError as error:
        problem = first_problem(error, TOML_NOUNS)
        key = problem.field
        source = f"{source_of(settings, f'{where}.{key}' if key else where)}: [{where}]"
        if problem.unknown:
            raise SettingsError(f"{source} has no weight {key!r}, only {', '.join(Weights.model_fields)}") from error
        raise SettingsError(f"{source} {key} is {problem.value}: {problem.demand}") from error
    _check_sum(settings, where, weights)
    return weights


def _check_sum(settings: Settings, where: str, weights: Weights) -> None:
    """A preset divides one whole among its terms: who raises one weight says what gives way."""
    given = {name: weight for name, weight in weights.model_dump().items() if weight}
    if not given:
        raise SettingsError(f"{source_of(settings, where)}: [{where}] has no weight above 0")
    total = math.fsum(given.values())
    if abs(total - 1.0) > TOLERANCE:
        listed = " + ".join(f"{name} {weight:g}" for name, weight in given.items())
        raise SettingsError(f"{source_of(settings, where)}: [{where}] adds up to {total:g}, not 1: {listed}")
