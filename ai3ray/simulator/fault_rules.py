"""Faults on demand: rules that say which calls go wrong, and how."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from ai3ray.domain.frozen import Frozen
from ai3ray.errors import RequestError, first_problem
from ai3ray.simulator.chance import chance
from ai3ray.simulator.vendors import VendorName
from ai3ray.simulator.wires.parsed_request import ParsedRequest

FaultName = Literal[
    # refusals
    "rate_limit",
    "rate_limit_no_wait",
    "ramp_limit",
    "quota",
    "billing",
    "auth",
    "forbidden",
    "unknown_model",
    "too_large",
    "context_overflow",
    "server_error",
    "bad_gateway",
    "unavailable",
    "timeout",
    "overloaded",
    # the connection
    "refuse_connection",
    "outage",
    "stall_first_byte",
    "stall",
    "cut",
    "eof",
    # what is sent
    "error_event",
    "malformed",
    "not_a_stream",
    # the answer
    "empty",
    "refusal",
    "max_tokens",
    "defect",
    # its figures
    "no_usage",
    "zero_usage",
    "negative_usage",
    "huge_usage",
    "string_usage",
]

_LONGEST_OUTAGE_S = 60.0


class FaultTrigger(Frozen):
    """Which of the calls that a rule is about it strikes, counted from 1: all conditions that are given must hold."""

    n: tuple[int, ...] = ()
    """These calls."""
    first: int | None = Field(default=None, ge=0)
    """The first so many."""
    every: int | None = Field(default=None, ge=1)
    """Every so many-th."""
    start: int | None = Field(default=None, alias="from", ge=1)
    """From this call on."""
    to: int | None = Field(default=None, ge=1)
    """Until this call, included."""
    after_s: float | None = Field(default=None, ge=0)
    """From so many seconds after the rules were set."""
    until_s: float | None = Field(default=None, ge=0)
    """Until so many seconds after the rules were set."""
    probability: float | None = Field(default=None, ge=0.0, le=1.0)
    """Each with this chance, drawn from the simulator's seed."""

    @model_validator(mode="after")
    def _says_something(self) -> FaultTrigger:
        if not self.model_fields_set:
            fields = "n, first, every, from, to, after_s, until_s or probability"
            raise ValueError(f"'when' is empty: give {fields}")
        return self

    def holds_for(self, count: int, drawn: float, age_s: float = 0.0) -> bool:
        """Whether the call is struck.

        Args:
            count: which call it is among those that the rule is about, from 1.
            drawn: a random number from 0 to 1.
            age_s: seconds since the rules were set.
        """
        return (
            (not self.n or count in self.n)
            and (self.first is None or count <= self.first)
            and (self.every is None or count % self.every == 0)
            and (self.start is None or self.start <= count)
            and (self.to is None or count <= self.to)
            and (self.after_s is None or self.after_s <= age_s)
            and (self.until_s is None or age_s < self.until_s)
            and (self.probability is None or drawn < self.probability)
        )


class InjectedFault(Frozen):
    """One rule. The first rule that strikes a call decides."""

    fault: FaultName
    """What goes wrong."""
    provider: VendorName | None = None
    """Only calls of this vendor."""
    model: str | None = None
    """Only calls of this model."""
    role: Literal["plan", "judge", "task"] | None = None
    """Only calls for this, told by the schema they bring."""
    contains: str | None = None
    """Only calls whose prompt contains this."""
    when: FaultTrigger | None = None
    """Which of them; all when absent."""
    status: int | None = Field(default=None, ge=400, le=599)
    """Another HTTP status than the fault's usual one."""
    code: str | None = None
    """Another error code than the vendor's usual one, such as `contract_spend_limit_reached`."""
    retry_after: float | None = Field(default=None, ge=0)
    """Seconds that a refusal asks to wait; 1 for rate_limit and ramp_limit when absent."""
    seconds: float = Field(default=3600.0, ge=0)
    """How long a stall or an outage lasts; an outage at most a minute."""
    after: int = Field(default=2, ge=0)
    """Pieces of a stream that arrive before it breaks."""

    @property
    def outage_s(self) -> float:
        """How long an outage lasts."""
        return min(self.seconds, _LONGEST_OUTAGE_S)

    def applies_to(self, request: ParsedRequest) -> bool:
        """Whether the rule is about this call at all."""
        return (
            self.provider in (None, request.vendor)
            and self.model in (None, request.model)
            and self.role in (None, request.role)
            and (self.contains is None or self.contains in request.prompt)
        )


class FaultInjector:
    """The rules in force, and how many calls each has seen.

    Args:
        seed: what chance is drawn from.
        clock: seconds, for rules that hold for a time.
    """

    def __init__(self, seed: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._seed = seed
        self._clock = clock
        self._since = clock()
        self.rules: tuple[InjectedFault, ...] = ()
        self._counts: list[int] = []

    def set(self, rules: Sequence[InjectedFault]) -> None:
        """Replace all rules; counting begins anew."""
        self.rules = tuple(rules)
        self._counts = [0] * len(self.rules)
        self._since = self._clock()

    def select(self, request: ParsedRequest) -> InjectedFault | None:
        """The fault of this call, if any; counts it for every rule that is about it."""
        if not self.rules:
            return None
        found: InjectedFault | None = None
        age_s = self._clock() - self._since
        for index, rule in enumerate(self.rules):
            if not rule.applies_to(request):
                continue
            self._counts[index] += 1
            if found is None and self._holds(rule, index, age_s):
                found = rule
        return found

    def _holds(self, rule: InjectedFault, index: int, age_s: float) -> bool:
        when, count = rule.when, self._counts[index]
        if when is None:
            return True
        drawn = 0.0 if when.probability is None else chance(self._seed, index, count)
        return when.holds_for(count, drawn, age_s)


def rules_from_rates(rates: Mapping[FaultName, float]) -> tuple[InjectedFault, ...]:
    """Rules that together strike each kind's share of all calls.

    Args:
        rates: share of the calls by kind of fault, 0 to 1.

    Raises:
        ValueError: a share is out of range, or they are more than all calls.
    """
    rules: list[InjectedFault] = []
    left = 1.0
    for fault, share in rates.items():
        if not 0.0 <= share <= left + 1e-9:
            raise ValueError(f"{fault}: a share from 0 to 1, and all shares together at most 1")
        # Of the calls that no earlier rule has struck.
        probability = min(1.0, share / left) if left > 0 else 0.0
        rules.append(InjectedFault(fault=fault, when=FaultTrigger(probability=probability)))
        left -= share
    return tuple(rules)


def read_faults(data: object) -> tuple[InjectedFault, ...]:
    """Rules from decoded JSON: a list, one rule, or `{"rules": [...], "rates": {...}}`.

    Raises:
        RequestError: it is none of them; the message names what is wrong.
    """
    if isinstance(data, Mapping) and data.keys() <= {"rules", "rates"} and data:
        return (*_rules(data.get("rules", [])), *_rates(data.get("rates", {})))
    return _rules(data)


def _rules(data: object) -> tuple[InjectedFault, ...]:
    rules: tuple[InjectedFault, ...] = _validated(tuple[InjectedFault, ...], data if isinstance(data, list) else [data])
    return rules


def _rates(data: object) -> tuple[InjectedFault, ...]:
    rates: dict[FaultName, float] = _validated(dict[FaultName, float], data)
    try:
        return rules_from_rates(rates)
    except ValueError as error:
        raise RequestError(f"rates: {error}", "rates") from error


def _validated(form: Any, data: object) -> Any:
    try:
        return TypeAdapter(form).validate_python(data)
    except ValidationError as error:
        problem = first_problem(error)
        raise RequestError(problem.message, problem.field) from error
