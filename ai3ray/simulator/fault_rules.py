"""Rules for injected faults."""

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
    """A choice among the calls that a rule applies to, counted from 1; all given conditions must hold."""

    n: tuple[int, ...] = ()
    """Calls with these numbers."""
    first: int | None = Field(default=None, ge=0)
    """The first N calls."""
    every: int | None = Field(default=None, ge=1)
    """Every N-th call."""
    start: int | None = Field(default=None, alias="from", ge=1)
    """Calls from this number on."""
    to: int | None = Field(default=None, ge=1)
    """Calls up to and including this number."""
    after_s: float | None = Field(default=None, ge=0)
    """Calls from this many seconds after the rules were set."""
    until_s: float | None = Field(default=None, ge=0)
    """Calls until this many seconds after the rules were set."""
    probability: float | None = Field(default=None, ge=0.0, le=1.0)
    """Each call with this probability."""

    @model_validator(mode="after")
    def _says_something(self) -> FaultTrigger:
        if not self.model_fields_set:
            fields = "n, first, every, from, to, after_s, until_s or probability"
            raise ValueError(f"'when' is empty: give {fields}")
        return self

    def holds_for(self, count: int, drawn: float, age_s: float = 0.0) -> bool:
        """Return whether call number `count` fails, `age_s` seconds after the rules were set."""
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
    """One fault rule. The first rule that selects a call decides."""

    fault: FaultName
    provider: VendorName | None = None
    model: str | None = None
    role: Literal["plan", "judge", "task"] | None = None
    """Only calls for this purpose, recognised by their schema."""
    contains: str | None = None
    """Only calls with this text in the prompt."""
    when: FaultTrigger | None = None
    """Which of these calls fail; all when absent."""
    status: int | None = Field(default=None, ge=400, le=599)
    """The HTTP status instead of the fault's usual one."""
    code: str | None = None
    """The error code instead of the vendor's usual one, for example `contract_spend_limit_reached`."""
    retry_after: float | None = Field(default=None, ge=0)
    """Seconds to wait that a refusal announces; when absent, 1 for rate_limit and ramp_limit."""
    seconds: float = Field(default=3600.0, ge=0)
    """Length of a stall or an outage."""
    after: int = Field(default=2, ge=0)
    """Pieces of a stream that arrive before it breaks."""

    @property
    def outage_s(self) -> float:
        """The length of an outage, at most 60 seconds."""
        return min(self.seconds, _LONGEST_OUTAGE_S)

    def applies_to(self, request: ParsedRequest) -> bool:
        """Return whether the rule applies to this call."""
        return (
            self.provider in (None, request.vendor)
            and self.model in (None, request.model)
            and self.role in (None, request.role)
            and (self.contains is None or self.contains in request.prompt)
        )


class FaultInjector:
    """The fault rules in force, with a count of calls for each."""

    def __init__(self, seed: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._seed = seed
        self._clock = clock
        self._since = clock()
        self.rules: tuple[InjectedFault, ...] = ()
        self._counts: list[int] = []

    def set(self, rules: Sequence[InjectedFault]) -> None:
        """Replace all rules and reset their counts."""
        self.rules = tuple(rules)
        self._counts = [0] * len(self.rules)
        self._since = self._clock()

    def select(self, request: ParsedRequest) -> InjectedFault | None:
        """Return the fault for this call, and count the call for every rule that applies to it."""
        if not self.rules:
            return None
        found: InjectedFault | None = None
        age_s = self._clock() - self._since
        for index, rule in enumerate(self.rules):
            if not rule.applies_to(request):
                continue
            self._counts[index] += 1
            if found is None:
                when, count = rule.when, self._counts[index]
                drawn = chance(self._seed, index, count) if when and when.probability is not None else 0.0
                if when is None or when.holds_for(count, drawn, age_s):
                    found = rule
        return found


def rules_from_rates(rates: Mapping[FaultName, float]) -> tuple[InjectedFault, ...]:
    """Return rules that inject each fault into its share of all calls, from 0 to 1.

    Raises:
        ValueError: a share is out of range, or their sum exceeds 1.
    """
    rules: list[InjectedFault] = []
    left = 1.0
    for fault, share in rates.items():
        if not 0.0 <= share <= left + 1e-9:
            raise ValueError(f"{fault}: a share must be from 0 to 1, and all shares together at most 1")
        # The share among the calls that no earlier rule selects.
        probability = min(1.0, share / left) if left > 0 else 0.0
        rules.append(InjectedFault(fault=fault, when=FaultTrigger(probability=probability)))
        left -= share
    return tuple(rules)


def read_faults(data: object) -> tuple[InjectedFault, ...]:
    """Read rules from decoded JSON: a list, one rule, or `{"rules": [...], "rates": {...}}`.

    Raises:
        RequestError: the data has none of these forms.
    """
    if isinstance(data, Mapping) and data.keys() <= {"rules", "rates"} and data:
        rules = _rules(data.get("rules", []))
        rates: dict[FaultName, float] = _validated(dict[FaultName, float], data.get("rates", {}))
        try:
            return (*rules, *rules_from_rates(rates))
        except ValueError as error:
            raise RequestError(f"rates: {error}", "rates") from error
    return _rules(data)


def _rules(data: object) -> tuple[InjectedFault, ...]:
    rules: tuple[InjectedFault, ...] = _validated(tuple[InjectedFault, ...], data if isinstance(data, list) else [data])
    return rules


def _validated(form: Any, data: object) -> Any:
    try:
        return TypeAdapter(form).validate_python(data)
    except ValidationError as error:
        problem = first_problem(error)
        raise RequestError(problem.message, problem.field) from error
