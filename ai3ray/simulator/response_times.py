"""Response times of the simulated vendors, drawn from a distribution or from measured calls."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field, TypeAdapter, ValidationError

from ai3ray.domain.frozen import Frozen
from ai3ray.errors import SettingsError, first_problem
from ai3ray.simulator.chance import chance

SPEC_FORMS = "S, constant:S, lognormal:S,SIGMA, ttft:S,TOKENS_PER_S, or a JSON file of measured calls"


class Pace(Frozen):
    """The pace of answers, log-normal around the medians."""

    first_token_s: float = Field(default=0.05, ge=0)
    """Median seconds to the first token."""
    first_token_sigma: float = Field(default=0.3, ge=0)
    """Standard deviation of the logarithm."""
    tokens_per_s: float = Field(default=400.0, gt=0)
    """Median output speed."""
    tokens_sigma: float = Field(default=0.2, ge=0)
    """Standard deviation of the logarithm."""
    piece_tokens: int = Field(default=8, ge=1)
    total_s: float | None = Field(default=None, ge=0)
    """Median seconds of an answer of any length; replaces the output speed."""
    total_sigma: float = Field(default=0.0, ge=0)
    data: Path | None = None
    """A JSON file of measured calls, `[{ttft_s, total_s, error, provider?}]`; each answer takes the time of one."""
    data_provider: str | None = None
    data_errors: bool = False
    """Whether calls fail as often as the measured ones, with 429 as a rate limit and all else as a server error."""


class AnswerSpeed(NamedTuple):
    """The speed of one answer."""

    first_token_s: float
    tokens_per_s: float
    total_s: float | None = None
    """The seconds of the whole answer, if independent of its length."""

    def after(self, written: int, of: int) -> float:
        """Return the seconds from the request until `written` of `of` tokens are written."""
        if self.total_s is None:
            return self.first_token_s + written / self.tokens_per_s
        share = written / of if of else 1.0
        return self.first_token_s + (self.total_s - self.first_token_s) * share


class MeasuredCall(Frozen):
    """One measured call."""

    ttft_s: float | None = Field(default=None, ge=0)
    total_s: float | None = Field(default=None, ge=0)
    error: int | None = None
    """The HTTP status of a failure, any other number for a failure without one, None for an answer."""


class ResponseTimes:
    """Draw the speed of each answer.

    Raises:
        SettingsError: the file of measured calls cannot be used.
    """

    def __init__(self, pace: Pace, seed: int) -> None:
        self.pace = pace
        self._seed = seed
        calls = _measured(pace.data, pace.data_provider) if pace.data else []
        self._answered = [call for call in calls if call.error is None and call.total_s is not None]
        self._errors = [call.error for call in calls if call.error is not None]
        if calls and not self._answered:
            raise SettingsError(f"{pace.data}: every measured call failed")

    def draw(self, *about: str) -> AnswerSpeed:
        """Draw the speed of an answer, repeatable for a seed and `about`."""
        rng = random.Random(f"{self._seed}:pace:{':'.join(about)}")  # noqa: S311
        pace = self.pace
        if self._answered:
            call = rng.choice(self._answered)
            total_s = call.total_s or 0.0
            return AnswerSpeed(
                min(total_s, total_s if call.ttft_s is None else call.ttft_s), pace.tokens_per_s, total_s
            )
        first_s = pace.first_token_s * math.exp(rng.gauss(0.0, pace.first_token_sigma))
        speed = pace.tokens_per_s * math.exp(rng.gauss(0.0, pace.tokens_sigma))
        if pace.total_s is None:
            return AnswerSpeed(first_s, speed)
        total_s = pace.total_s * math.exp(rng.gauss(0.0, pace.total_sigma))
        return AnswerSpeed(min(first_s, total_s), speed, total_s)

    def error(self, n: int) -> int | None:
        """Return the measured failure of the n-th call."""
        if not self.pace.data_errors or not self._errors:
            return None
        drawn = chance(self._seed, "measured", n) * (len(self._answered) + len(self._errors))
        return self._errors[int(drawn)] if drawn < len(self._errors) else None


def read_latency(spec: str) -> dict[str, Any]:
    """Return the fields of a pace for a `--latency` option.

    Raises:
        SettingsError: the spec has none of the known forms.
    """
    form, colon, rest = spec.partition(":")
    try:
        if not colon and not spec.endswith(".json") and not Path(spec).is_file():
            return {"first_token_s": _seconds(spec)}
        if form == "constant":
            return {"total_s": _seconds(rest), "total_sigma": 0.0, "data": None}
        if form == "lognormal":
            median, sigma = rest.split(",")
            return {"total_s": _seconds(median), "total_sigma": _seconds(sigma), "data": None}
        if form == "ttft":
            first, speed = rest.split(",")
            exact = {"first_token_sigma": 0.0, "tokens_sigma": 0.0, "total_s": None, "data": None}
            return {"first_token_s": _seconds(first), "tokens_per_s": _seconds(speed), **exact}
    except ValueError as error:
        raise SettingsError(f"latency {spec!r}: use {SPEC_FORMS}", "latency") from error
    return {"data": Path(spec)}


def _seconds(word: str) -> float:
    figure = float(word)
    if not 0 <= figure < math.inf:
        raise ValueError(word)
    return figure


def _measured(path: Path, provider: str | None) -> list[MeasuredCall]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise SettingsError(f"{path}: not a list of measured calls")
        kept = [
            {name: row.get(name) for name in MeasuredCall.model_fields}
            for row in rows
            if provider is None or row.get("provider") == provider
        ]
        calls = TypeAdapter(list[MeasuredCall]).validate_python(kept)
    except ValidationError as error:
        (position, field), demand, *_ = first_problem(error)
        raise SettingsError(f"{path}: call {position}: {field}: {demand}") from error
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise SettingsError(f"{path}: {error}") from error
    if not calls:
        raise SettingsError(f"{path}: no measured calls{f' of {provider}' if provider else ''}")
    return calls
