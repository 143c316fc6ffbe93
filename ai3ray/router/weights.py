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
_KEYS = {"preset", "presets", *Tuning.model_fields}


class Weights(Frozen):
    """Weights that add up to 1; terms and scores lie between 0 and 1."""

    quality: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """Of answers of this kind: the card's prior, corrected by verdicts."""
    tier: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """Closeness to the requested tier."""
    success: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """Success of its recent calls."""
    latency: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """Speed of its recent calls."""
    cost: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    load: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """Idleness of model and provider."""


def load_weights(settings: Settings) -> Weights:
    """Return the weights of AI3_ROUTER_PRESET, else of `router.toml`'s preset.

    Raises:
        SettingsError: a preset, key or weight is invalid; names file and key.
    """
    data = settings.router
    for key in data:
        if key not in _KEYS:
            raise SettingsError(f"{source_of(settings, key)}: there is no key {key!r}")
    presets = data.get("presets")
    if not isinstance(presets, dict):
        raise SettingsError(f"{source_of(settings, 'presets')}: presets has to be a table")
    if settings.router_preset is not None:
        preset, source = settings.router_preset, "AI3_ROUTER_PRESET"
    else:
        preset, source = data.get("preset", "balanced"), source_of(settings, "preset")
    if preset not in presets:
        raise SettingsError(f"{source}: there is no preset {preset!r}, only {', '.join(presets)}")
    return {name: _weights(settings, name, table) for name, table in presets.items()}[preset]


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
    # A preset divides one whole among its terms: raising one weight has to lower another.
    given = {name: weight for name, weight in weights.model_dump().items() if weight}
    if not given:
        raise SettingsError(f"{source_of(settings, where)}: [{where}] has no weight above 0")
    total = math.fsum(given.values())
    if abs(total - 1.0) > TOLERANCE:
        listed = " + ".join(f"{name} {weight:g}" for name, weight in given.items())
        raise SettingsError(f"{source_of(settings, where)}: [{where}] adds up to {total:g}, not 1: {listed}")
    return weights
