"""Explains a mistake in the settings in one line: where it is, what it is, what is allowed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

_SECRET = frozenset({"server_key", "api_keys"})


class SourcedValue(NamedTuple):
    """A value and where it came from, in the user's words."""

    value: Any
    source: str
    explicit: bool = True


def explain(error: ValidationError, values: Mapping[str, SourcedValue], sources: Mapping[str, str]) -> str:
    """The first mistake in one line: where it stands, what it is, what it has to be."""
    first = error.errors(include_url=False)[0]
    loc = [str(part) for part in first["loc"]]
    source = values[loc[0]].source
    if loc[0] in ("providers", "keys"):
        table, key = ".".join(loc[:2]), loc[2] if len(loc) > 2 else ""
        file = sources.get(".".join(loc[:3])) or sources.get(table) or sources[loc[0]]
        source = f"{file}: {key} of [{table}]" if key else f"{file}: [{table}]"
        if first["type"] == "extra_forbidden":
            return f"{file}: [{table}] knows no {key!r}"
    if loc[0] in _SECRET or (len(loc) == 1 and isinstance(first["input"], dict)):
        return f"{source}: {_demand(first)}"
    shown = first["input"] if isinstance(first["input"], str) else json.dumps(first["input"], default=str)
    return f"{source} is {shown}: {_demand(first)}"


def _demand(error: Any) -> str:
    """What pydantic wants, in plain words."""
    limits = {
        "greater_than_equal": ("ge", "at least"),
        "greater_than": ("gt", "more than"),
        "less_than_equal": ("le", "at most"),
    }
    if error["type"] in limits:
        bound, words = limits[error["type"]]
        return f"it has to be {words} {error['ctx'][bound]:g}"
    kinds = {
        "int": "a whole number",
        "float": "a number",
        "bool": "on or off",
        "string": "text",
        "tuple": "a list",
        "dict": "a table",
        "model": "a table",
        "literal": "one of " + str(error.get("ctx", {}).get("expected")).replace("'", "").replace(" or ", ", "),
    }
    kind = kinds.get(error["type"].partition("_")[0])
    return f"it has to be {kind}" if kind else str(error["msg"]).removeprefix("Value error, ")
