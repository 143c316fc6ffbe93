"""The answer satisfies the plan's JSON Schema, at a bounded cost.

Neither is trusted: references are never fetched, and steps are counted. A regular expression cannot be counted, so
`needs_isolation` moves it to another process.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any

from ai3ray.domain.call import Reply
from ai3ray.domain.plan import Task
from ai3ray.domain.verdict import Defect

MAX_DEFECTS = 5
MIN_STEPS = 20_000
"""Keywords that may be applied to any answer, however short; about 0.15 s."""
STEPS_PER_CHAR = 10
"""More of them per character of the answer, so that a check of linear cost always ends."""
_REGEX_KEYWORDS = frozenset({"pattern", "patternProperties"})


class _TooCostly(Exception):
    """The check has used up its steps."""


class _Steps:
    """The steps that a check has left; one step is one keyword applied to one value."""

    def __init__(self, chars: int) -> None:
        self._left = MIN_STEPS + STEPS_PER_CHAR * chars

    def spend(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise _TooCostly


def json_schema(task: Task, reply: Reply) -> Iterator[Defect]:
    """Require `checks.json_schema`."""
    if task.checks is None or task.checks.json_schema is None:
        return
    value, problem = parse_json(reply.text)
    if problem is None:
        yield from _violations(value, task.checks.json_schema, _Steps(len(reply.text)))


def check_json(text: str, schema: dict[str, Any] | None) -> tuple[Defect, ...]:
    """Find the defects of JSON; without a schema, any JSON passes. Pure and picklable."""
    value, problem = parse_json(text)
    if problem is not None:
        return (Defect(part="answer", problem=problem),)
    return () if schema is None else _violations(value, schema, _Steps(len(text)))


def parse_json(text: str) -> tuple[Any, str | None]:
    """Return the value, or None and the problem. NaN and Infinity are not JSON."""
    try:
        return json.loads(text, parse_constant=_no_constant), None
    except RecursionError:
        return None, "the JSON is nested too deeply"
    except ValueError as error:
        return None, f"it is not valid JSON: {error}"


def risky(schema: Any) -> bool:
    """Return True if no count of steps bounds the time of checking the schema."""
    if isinstance(schema, Mapping):
        return not _REGEX_KEYWORDS.isdisjoint(schema) or any(risky(part) for part in schema.values())
    return isinstance(schema, list | tuple) and any(risky(part) for part in schema)


def schema_problem(schema: dict[str, Any]) -> str | None:
    """Return the problem of a schema, or None."""
    from jsonschema import Draft202012Validator, exceptions, validators

    try:
        validators.validator_for(schema, default=Draft202012Validator).check_schema(schema)
    except exceptions.SchemaError as error:
        return _line(error.message)
    except RecursionError:
        return "it is nested too deeply"
    return None


def _violations(value: Any, schema: dict[str, Any], steps: _Steps) -> tuple[Defect, ...]:
    from jsonschema import exceptions  # late: importing it takes as long as the whole package
    from referencing.exceptions import Unresolvable

    try:
        errors = list(islice(_validator(schema, steps).iter_errors(value), MAX_DEFECTS))
    except _TooCostly:
        return (Defect(part="answer", problem="checking it against the JSON Schema takes too long"),)
    except RecursionError:
        return (Defect(part="answer", problem="the JSON is nested too deeply for the JSON Schema"),)
    except (exceptions.SchemaError, exceptions.UnknownType, Unresolvable) as error:
        return (Defect(part="checks.json_schema", problem=f"the JSON Schema itself is wrong: {_line(error)}"),)
    return tuple(
        Defect(part="/".join(map(str, error.absolute_path)) or "answer", problem=_line(error.message))
        for error in errors
    )


def _validator(schema: dict[str, Any], steps: _Steps) -> Any:
    """Build a validator that counts its steps and fetches nothing."""
    from jsonschema import Draft202012Validator, validators
    from referencing import Registry

    draft: Any = validators.validator_for(schema, default=Draft202012Validator)
    draft.check_schema(schema)
    counted = {name: partial(_counted, steps, name, rule) for name, rule in draft.VALIDATORS.items()}
    extend: Any = validators.extend
    # Without `$schema`, a reference back to the root stays with this validator and its count.
    plain = {name: part for name, part in schema.items() if name != "$schema"}
    return extend(draft, counted)(plain, registry=Registry())


def _counted(steps: _Steps, name: str, rule: Any, validator: Any, wanted: Any, value: Any, schema: Any) -> Any:
    cost = 1
    if name == "uniqueItems" and isinstance(value, list):
        # Unsortable items are compared in pairs, about eight a step.
        sortable = all(isinstance(item, str) for item in value) or all(isinstance(item, int | float) for item in value)
        cost = len(value) if sortable else 1 + len(value) ** 2 // 16
    steps.spend(cost)
    return rule(validator, wanted, value, schema)


def _line(error: object, limit: int = 300) -> str:
    line = " ".join(str(error).split())
    return line if len(line) <= limit else f"{line[:limit]}…"


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON value")
