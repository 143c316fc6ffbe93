"""The weights of the score, from `router.toml`."""

from __future__ import annotations

from typing import Any

from pydantic import Field, ValidationError

from ai3ray.domain.frozen import Frozen
from ai3ray.errors import SettingsError
from ai3ray.settings import Settings


class Weights(Frozen):
    """How much each term counts; the terms themselves lie between 0 and 1."""

    quality: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """The card's prior for the kind of task."""
    tier: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """How near the model's tier is to the one wanted."""
    success: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """How often it succeeded lately."""
    latency: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """How fast it is."""
    cost: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """How cheap it is."""
    load: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """How idle its provider is."""


def load_weights(settings: Settings) -> Weights:
    """The weights of the preset that `router.toml` names.

    Raises:
        SettingsError: naming file and key, for an unknown preset or a weight that is none.
    """
    data = settings.router
    for key in data:
        if key not in ("preset", "presets"):
            raise SettingsError(f"{_source(settings, key)}: there is no key {key!r}")
    presets, preset = data.get("presets"), data.get("preset", "balanced")
    if not isinstance(presets, dict):
        raise SettingsError(f"{_source(settings, 'presets')}: presets has to be a table")
    if preset not in presets:
        raise SettingsError(f"{_source(settings, 'preset')}: there is no preset {preset!r}, only {', '.join(presets)}")
    return {name: _weights(settings, name, table) for name, table in presets.items()}[preset]


def _weights(settings: Settings, preset: str, table: Any) -> Weights:
    where = f"presets.{preset}"
    try:
        weights = Weights.model_validate(table)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        source = f"{_source(settings, f'{where}.{key}' if key else where)}: [{where}]"
        if first["type"] == "extra_forbidden":
            raise SettingsError(f"{source} has no weight {key!r}, only {', '.join(Weights.model_fields)}") from error
        if first["type"] == "greater_than_equal":
            raise SettingsError(f"{source} {key} is {first['input']}: a weight is never negative") from error
        raise SettingsError(f"{source} {key}: {first['msg']}") from error
    if not any(weights.model_dump().values()):
        raise SettingsError(f"{_source(settings, where)}: [{where}] has no weight above 0")
    return weights


def _source(settings: Settings, key: str) -> str:
    return settings.sources.get(f"router.toml:{key}", "router.toml")
