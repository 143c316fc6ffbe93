"""The simulator's settings, from `configs/simulator.toml`, a file and fields."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError, field_validator

from ai3ray.domain.frozen import Frozen
from ai3ray.errors import TOML_NOUNS, SettingsError, first_problem
from ai3ray.settings.packaged import configs_dir
from ai3ray.simulator.fault_rules import FaultName, InjectedFault, rules_from_rates
from ai3ray.simulator.limits.limit_settings import Limits, Ramp
from ai3ray.simulator.pricing import Price
from ai3ray.simulator.response_times import Pace
from ai3ray.simulator.vendors import VendorName

__all__ = ["Answers", "Caching", "Limits", "Pace", "Price", "Ramp", "SimulatorSettings"]


class Answers(Frozen):
    """Answers to requests without a JSON Schema; prose about the subject when neither is set."""

    text: str | None = None
    """Always this text."""
    tokens: int | None = Field(default=None, ge=1)
    """Prose of exactly this many tokens; cheaper to write."""


class Caching(Frozen):
    """The vendors' prompt caches: Anthropic's at a request's breakpoints, the others' automatic."""

    enabled: bool = True
    ttl_s: float = Field(default=300.0, gt=0)
    """Seconds that an entry lives after its last use."""
    min_tokens: int = Field(default=1024, ge=1)
    """Shorter prefixes are not cached."""
    min_tokens_of: dict[str, int] = {}
    """Other minimums by model id."""


class SimulatorSettings(Frozen):
    """All settings of the simulator."""

    seed: int = 1
    pace: Pace = Pace()
    answers: Answers = Answers()
    context_tokens: int = Field(default=1_000_000, ge=1)
    """The context window of every model; longer prompts are refused."""
    body_bytes: int = Field(default=32_000_000, ge=1)
    """The largest request; larger ones are refused with 413."""
    limits: dict[VendorName, Limits] = {}
    """Rate limits of each account, by vendor."""
    caching: Caching = Caching()
    prices: dict[str, Price] = {}
    """Prices by model id; other models have no price."""
    retired: tuple[str, ...] = ()
    """Model ids that answer 404."""
    faults: tuple[InjectedFault, ...] = ()
    """Fault rules at the start and after a reset."""
    rates: dict[FaultName, float] = {}
    """Share of calls by fault, from 0 to 1; applied after the rules."""

    @field_validator("limits")
    @classmethod
    def _counted(cls, value: dict[VendorName, Limits]) -> dict[VendorName, Limits]:
        for vendor, limits in value.items():
            if vendor != "anthropic" and (limits.itpm is not None or limits.otpm is not None):
                raise ValueError(f"{vendor} has no itpm and otpm limits; only Anthropic has")
        return value

    @field_validator("rates")
    @classmethod
    def _shares(cls, value: dict[FaultName, float]) -> dict[FaultName, float]:
        rules_from_rates(value)
        return value

    @classmethod
    def load(cls, path: Path | None = None, **overrides: Any) -> Self:
        """Load the packaged settings, then a file's, then the overrides.

        Args:
            path: a TOML file of the values that differ from `configs/simulator.toml`.
            overrides: fields by name; tables such as `pace` are merged, not replaced.

        Raises:
            SettingsError: the file or an override is wrong.
        """
        tables = _tables(configs_dir() / "simulator.toml")
        if path is not None:
            tables = _merged(tables, _tables(path))
            cls._checked(tables, str(path))
        return cls._checked(_merged(tables, overrides), "simulator settings")

    def limits_of(self, vendor: VendorName) -> Limits:
        """Return the limits of each account at a vendor."""
        return self.limits.get(vendor) or Limits()

    @classmethod
    def _checked(cls, tables: dict[str, Any], source: str) -> Self:
        try:
            return cls.model_validate(tables)
        except ValidationError as error:
            problem = first_problem(error, TOML_NOUNS)
            demand = "no such setting" if problem.unknown else problem.demand
            raise SettingsError(f"{source}: {problem.field}: {demand}", problem.field) from error


def _tables(path: Path) -> dict[str, Any]:
    """Read a TOML file; its `pace.data` is relative to it."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise SettingsError(f"{path}: {error}") from error
    pace = tables.get("pace")
    if isinstance(pace, dict) and isinstance(pace.get("data"), str):
        pace["data"] = str(path.parent / pace["data"])
    return tables


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, given in over.items():
        value = given.model_dump(exclude_unset=True) if isinstance(given, Frozen) else given
        both = isinstance(value, dict) and isinstance(merged.get(name), dict)
        merged[name] = _merged(merged[name], value) if both else value
    return merged
