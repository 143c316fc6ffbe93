"""How the simulator behaves: `configs/simulator.toml`, and what is said otherwise."""

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
    """What is answered to a request that asks for no JSON Schema; prose about its subject when both are absent."""

    text: str | None = None
    """This, always."""
    tokens: int | None = Field(default=None, ge=1)
    """Prose of exactly so many tokens, always the same; cheaper than prose about the subject."""


class Caching(Frozen):
    """The vendors' prompt caches: Anthropic's where a request marks a breakpoint, the others' by themselves."""

    enabled: bool = True
    """Whether there are any."""
    ttl_s: float = Field(default=300.0, gt=0)
    """Seconds that an entry lives after its last use."""
    min_tokens: int = Field(default=1024, ge=1)
    """Shorter prefixes are not kept."""
    min_tokens_of: dict[str, int] = {}
    """Another minimum for a model, by its id."""


class SimulatorSettings(Frozen):
    """Everything about the simulator that can be set."""

    seed: int = 1
    """Same seed and same requests give the same answers."""
    pace: Pace = Pace()
    """How fast it answers."""
    answers: Answers = Answers()
    """What it answers."""
    context_tokens: int = Field(default=1_000_000, ge=1)
    """Window of every model: a longer prompt is refused as the vendors refuse it."""
    body_bytes: int = Field(default=32_000_000, ge=1)
    """The largest request: a larger one is refused with 413."""
    limits: dict[VendorName, Limits] = {}
    """Rate limits of each account of a vendor; generous ones where none are given."""
    caching: Caching = Caching()
    """The vendors' prompt caches."""
    prices: dict[str, Price] = {}
    """Prices by model id; other models are served, and their price is unknown."""
    retired: tuple[str, ...] = ()
    """Ids that are answered 404, as the vendors do after a model's last day."""
    faults: tuple[InjectedFault, ...] = ()
    """Fault rules in force from the start and after a reset."""
    rates: dict[FaultName, float] = {}
    """Share of the calls that each kind of fault strikes, from 0 to 1, where no rule does."""

    @field_validator("limits")
    @classmethod
    def _counted(cls, value: dict[VendorName, Limits]) -> dict[VendorName, Limits]:
        for vendor, limits in value.items():
            if vendor != "anthropic" and (limits.itpm is not None or limits.otpm is not None):
                raise ValueError(f"{vendor} counts no itpm and no otpm: only Anthropic does")
        return value

    @field_validator("rates")
    @classmethod
    def _shares(cls, value: dict[FaultName, float]) -> dict[FaultName, float]:
        rules_from_rates(value)
        return value

    @classmethod
    def load(cls, path: Path | None = None, **overrides: Any) -> Self:
        """The packaged settings, changed by a file and then by fields.

        Args:
            path: a TOML file of what is to differ from `configs/simulator.toml`.
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
        """The limits of one account."""
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
    """The tables of a TOML file; a file of measured calls is looked for beside it."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
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
