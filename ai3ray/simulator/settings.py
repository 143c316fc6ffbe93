"""How the simulator behaves: `configs/simulator.toml`, and what is said otherwise."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError

from ai3ray.domain.frozen import Frozen
from ai3ray.errors import SettingsError
from ai3ray.packaged import configs_dir

Account = Literal["anthropic", "openai", "xai"]


class Pace(Frozen):
    """How fast it answers: log-normal around the medians, drawn from the seed and the prompt."""

    first_token_s: float = Field(default=0.05, ge=0)
    """Median of the time to the first token, in seconds."""
    first_token_sigma: float = Field(default=0.3, ge=0)
    """Spread of that time: standard deviation of its logarithm."""
    tokens_per_s: float = Field(default=400.0, gt=0)
    """Median of the speed of writing, in tokens per second."""
    tokens_sigma: float = Field(default=0.2, ge=0)
    """Spread of that speed from answer to answer."""
    piece_tokens: int = Field(default=8, ge=1)
    """Tokens that a streamed piece holds."""


class Limits(Frozen):
    """What one account may do before it gets 429."""

    concurrency: int = Field(default=1000, ge=1)
    """Calls at the same time."""
    rpm: int = Field(default=20_000, ge=1)
    """Requests per minute, as a bucket that starts full."""
    tpm: int = Field(default=40_000_000, ge=1)
    """Tokens per minute, both directions, as a bucket that starts full."""


class Price(Frozen):
    """What a model costs, in US dollars per million tokens."""

    input: float = Field(ge=0)
    """Input."""
    output: float = Field(ge=0)
    """Output, reasoning included."""
    long_from: int | None = None
    """Input tokens from which on the long prices hold, for the whole request."""
    long_input: float = 0.0
    """Input of a long request."""
    long_output: float = 0.0
    """Output of a long request."""

    def cost(self, input_tokens: int, output_tokens: int) -> float:
        """The bill of one call in US dollars."""
        long = self.long_from is not None and input_tokens >= self.long_from
        rates = (self.long_input, self.long_output) if long else (self.input, self.output)
        return (input_tokens * rates[0] + output_tokens * rates[1]) / 1e6


class SimulatorSettings(Frozen):
    """Everything about the simulator that can be set."""

    seed: int = 1
    """Same seed and same requests give the same answers."""
    pace: Pace = Pace()
    """How fast it answers."""
    context_tokens: int = Field(default=1_000_000, ge=1)
    """Window of every model: a longer prompt is refused as the vendors refuse it."""
    limits: dict[Account, Limits] = {}
    """Rate limits by account; generous ones where none are given."""
    prices: dict[str, Price] = {}
    """Prices by model id; other models are served, and their price is unknown."""
    retired: tuple[str, ...] = ()
    """Ids that are answered 404, as the vendors do after a model's last day."""

    @classmethod
    def load(cls, path: Path | None = None, **overrides: Any) -> Self:
        """The packaged settings, or those of a file, with fields replaced.

        Args:
            path: a TOML file; `configs/simulator.toml` when absent.
            overrides: fields by name; tables such as `pace` are merged, not replaced.

        Raises:
            SettingsError: the file or an override is wrong.
        """
        path = path or configs_dir() / "simulator.toml"
        try:
            return cls.model_validate(_merged(tomllib.loads(path.read_text(encoding="utf-8")), overrides))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise SettingsError(f"simulator settings: {where}: {first['msg']}", where) from error
        except (OSError, ValueError) as error:
            raise SettingsError(f"{path}: {error}") from error

    def limits_of(self, account: Account) -> Limits:
        """The limits of one account."""
        return self.limits.get(account) or Limits()


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, given in over.items():
        value = given.model_dump(exclude_unset=True) if isinstance(given, Frozen) else given
        both = isinstance(value, dict) and isinstance(merged.get(name), dict)
        merged[name] = _merged(merged[name], value) if both else value
    return merged
