"""The router's exploration and learning, from `router.toml`."""

from __future__ import annotations

from pydantic import Field, ValidationError

from ai3ray.domain.frozen import Frozen
from ai3ray.errors import TOML_NOUNS, SettingsError, first_problem
from ai3ray.settings.model import Settings


class Evidence(Frozen):
    """Weight and decay of evidence, from `[evidence]`."""

    answers_kept: float = Field(default=0.9995, gt=0, le=1)
    """Factor of earlier answers' weight after a judged answer of their kind."""
    answers_half_life_s: float = Field(default=86_400.0, gt=0, allow_inf_nan=False)
    """Seconds in which a judged answer loses half its weight."""
    calls_kept: float = Field(default=0.98, gt=0, le=1)
    """Factor of earlier calls' weight after a call, for success and latency."""
    calls_half_life_s: float = Field(default=600.0, gt=0, allow_inf_nan=False)
    """Seconds in which a call loses half its weight."""
    card_answers: float = Field(default=20.0, gt=0, allow_inf_nan=False)
    """Judged answers that a card's quality counts for."""
    unknown_answers: float = Field(default=2.0, gt=0, allow_inf_nan=False)
    """Judged answers that the prior counts for without such a quality."""
    other_kinds: float = Field(default=8.0, gt=0, allow_inf_nan=False)
    """Judged answers of any kind after which half of a model's surprise counts for every kind."""


class Tuning(Frozen):
    """Exploration and learning."""

    exploration: float = Field(default=0.0, ge=0, le=10)
    """Spread of the draws in standard deviations: 1 is Thompson sampling, 0 takes the best."""
    seed: int | None = None
    """Makes the draws repeatable; random when absent."""
    evidence: Evidence = Evidence()


def load_tuning(settings: Settings) -> Tuning:
    """Return the router's tuning.

    Raises:
        SettingsError: a value is invalid; names file and key.
    """
    given = {name: value for name, value in settings.router.items() if name in Tuning.model_fields}
    try:
        return Tuning.model_validate(given)
    except ValidationError as error:
        problem = first_problem(error, TOML_NOUNS)
        if problem.unknown:
            known = ", ".join(Evidence.model_fields)
            message = f"[evidence] has no key {problem.field.partition('.')[2]!r}, only {known}"
        else:
            message = f"{problem.field} is {problem.value!r}: {problem.demand}"
        raise SettingsError(f"{source_of(settings, problem.field)}: {message}") from error


def source_of(settings: Settings, key: str) -> str:
    """Return the file that sets a key of `router.toml`."""
    return settings.sources.get(f"router.toml:{key}", "router.toml")
