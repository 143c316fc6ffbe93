"""Faults on demand: rules that say which calls go wrong, and how."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Literal

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from ai3ray.domain.frozen import Frozen
from ai3ray.errors import RequestError
from ai3ray.simulator.asked import Asked

FaultName = Literal[
    "rate_limit",
    "quota",
    "auth",
    "server_error",
    "overloaded",
    "refuse_connection",
    "stall",
    "cut",
    "eof",
    "error_event",
    "malformed",
    "not_a_stream",
    "empty",
    "refusal",
    "max_tokens",
    "no_usage",
    "defect",
]


class When(Frozen):
    """Which of the calls that a rule is about it strikes, counted from 1. Give one field, or `from` and `to`."""

    n: tuple[int, ...] = ()
    """These calls."""
    first: int | None = Field(default=None, ge=0)
    """The first so many."""
    start: int | None = Field(default=None, alias="from", ge=1)
    """From this call on."""
    to: int | None = Field(default=None, ge=1)
    """Until this call, included."""
    probability: float | None = Field(default=None, ge=0.0, le=1.0)
    """Each with this chance, drawn from the simulator's seed."""

    @model_validator(mode="after")
    def _says_something(self) -> When:
        if not self.model_fields_set:
            raise ValueError("'when' is empty: give n, first, from and to, or probability")
        return self

    def strikes(self, count: int, chance: float) -> bool:
        """Whether the call is struck.

        Args:
            count: which call it is among those that the rule is about, from 1.
            chance: a random number from 0 to 1.
        """
        if self.n:
            return count in self.n
        if self.first is not None:
            return count <= self.first
        if self.probability is not None:
            return chance < self.probability
        return (self.start or 1) <= count and (self.to is None or count <= self.to)


class Fault(Frozen):
    """One rule. The first rule that strikes a call decides."""

    fault: FaultName
    """What goes wrong."""
    provider: str | None = None
    """Only calls of this account: anthropic, openai or xai."""
    model: str | None = None
    """Only calls of this model."""
    contains: str | None = None
    """Only calls whose prompt contains this."""
    when: When | None = None
    """Which of them; all when absent."""
    status: int | None = Field(default=None, ge=400, le=599)
    """Another HTTP status than the fault's usual one."""
    retry_after: float | None = Field(default=None, ge=0)
    """Seconds that a refusal asks to wait; 1 for rate_limit when absent."""
    seconds: float = Field(default=3600.0, ge=0)
    """How long a stall lasts."""
    after: int = Field(default=2, ge=0)
    """Pieces of a stream that arrive before it breaks."""

    def concerns(self, asked: Asked) -> bool:
        """Whether the rule is about this call at all."""
        return (
            self.provider in (None, asked.account)
            and self.model in (None, asked.model)
            and (self.contains is None or self.contains in asked.prompt)
        )


class Faults:
    """The rules in force, and how many calls each has seen.

    Args:
        seed: what chance is drawn from.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.rules: tuple[Fault, ...] = ()
        self._counts: list[int] = []

    def set(self, rules: Sequence[Fault]) -> None:
        """Replace all rules; counting begins anew."""
        self.rules = tuple(rules)
        self._counts = [0] * len(self.rules)

    def strike(self, asked: Asked) -> Fault | None:
        """The fault of this call, if any; counts it for every rule that is about it."""
        found: Fault | None = None
        for index, rule in enumerate(self.rules):
            if not rule.concerns(asked):
                continue
            self._counts[index] += 1
            count = self._counts[index]
            chance = random.Random(f"{self._seed}:{index}:{count}").random()  # noqa: S311 - a seeded schedule
            if found is None and (rule.when is None or rule.when.strikes(count, chance)):
                found = rule
        return found


def read_faults(data: object) -> tuple[Fault, ...]:
    """Rules from decoded JSON: a list, or one rule. Raises RequestError that names what is wrong."""
    rules = data if isinstance(data, list) else [data]
    try:
        return TypeAdapter(tuple[Fault, ...]).validate_python(rules)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise RequestError(f"{where}: {first['msg']}", where) from error
