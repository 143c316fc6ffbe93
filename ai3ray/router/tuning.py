"""How the router learns: what `router.toml` says beside the weights."""

from __future__ import annotations

from pydantic import Field, ValidationError

from ai3ray.domain.frozen import Frozen
from ai3ray.errors import TOML_NOUNS, FieldProblem, SettingsError, first_problem
from ai3ray.settings.model import Settings


class Evidence(Frozen):
    """What counts how much, and for how long, from `[evidence]`."""

    answers_kept: float = Field(default=0.9995, gt=0, le=1)
    """What one more judged answer of a kind leaves of the weight of earlier ones of that kind."""
    answers_half_life_s: float = Field(default=86_400.0, gt=0, allow_inf_nan=False)
    """Seconds in which a judged answer loses half its weight."""
    calls_kept: float = Field(default=0.98, gt=0, le=1)
    """What one more call leaves of the weight of earlier ones, in the success and the latency of models."""
    calls_half_life_s: float = Field(default=600.0, gt=0, allow_inf_nan=False)
    """Seconds in which a call loses half its weight."""
    card_answers: float = Field(default=20.0, gt=0, allow_inf_nan=False)
    """Judged answers that the quality on a model's card counts for."""
    unknown_answers: float = Field(default=2.0, gt=0, allow_inf_nan=False)
    """The same where the card says nothing."""
    other_kinds: float = Field(default=8.0, gt=0, allow_inf_nan=False)
    """Judged answers of any kind after which half of what they tell of a model holds for every kind."""


class Tuning(Frozen):
    """How the router explores and learns."""

    exploration: float = Field(default=0.0, ge=0, le=10)
    """How far a draw may lie from what is expected, in standard deviations of Thompson sampling: 1 is the
    textbook's, less explores less, 0 always takes the best by expectation."""
    seed: int | None = None
    """Makes the draws repeatable; they differ from head to head when absent."""
    evidence: Evidence = Evidence()
    """What counts how much, and for how long."""


def load_tuning(settings: Settings) -> Tuning:
    """The router's tuning.

    Raises:
        SettingsError: naming file and key, for a value that cannot be.
    """
    given = {name: value for name, value in settings.router.items() if name in Tuning.model_fields}
    try:
        return Tuning.model_validate(given)
    except ValidationError as error:
        problem = first_problem(error, TOML_NOUNS)
        raise SettingsError(f"{source_of(settings, problem.field)}: {_explained(problem)}") from error


def source_of(settings: Settings, key: str) -> str:
    """The file that a key of `router.toml` comes from."""
    return settings.sources.get(f"router.toml:{key}", "router.toml")


def _explained(problem: FieldProblem) -> str:
    if problem.unknown:
        return f"[evidence] has no key {problem.field.partition('.')[2]!r}, only {', '.join(Evidence.model_fields)}"
    return f"{problem.field} is {problem.value!r}: {problem.demand}"
