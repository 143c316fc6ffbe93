"""Explain a mistake in the settings in one line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from ai3ray.errors import TOML_NOUNS, first_problem

_SECRET = frozenset({"server_key", "api_keys"})


class SourcedValue(NamedTuple):
    """A value and its source, as shown to the user."""

    value: Any
    source: str
    explicit: bool = True


def explain(error: ValidationError, values: Mapping[str, SourcedValue], sources: Mapping[str, str]) -> str:
    """Return the first mistake in one line: where it is, what it is, what is allowed."""
    problem = first_problem(error, TOML_NOUNS)
    path, value = problem.path, problem.value
    source = values[path[0]].source
    if path[0] in ("providers", "keys"):
        table, key = ".".join(path[:2]), path[2] if len(path) > 2 else ""
        file = sources.get(".".join(path[:3])) or sources.get(table) or sources[path[0]]
        source = f"{file}: {key} of [{table}]" if key else f"{file}: [{table}]"
        if problem.unknown:
            return f"{file}: [{table}] knows no {key!r}"
    if path[0] in _SECRET or (len(path) == 1 and isinstance(value, dict)):
        return f"{source}: {problem.demand}"
    shown = value if isinstance(value, str) else json.dumps(value, default=str)
    return f"{source} is {shown}: {problem.demand}"
