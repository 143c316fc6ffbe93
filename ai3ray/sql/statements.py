"""Load named SQL from files: `-- name: NAME` begins each statement."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)
_VARIABLE = re.compile(r"\$(\w+)")


@cache
def named_statements(path: Path) -> Mapping[str, str]:
    """Return the statements of a file by name. Text before the first name is a comment on the file."""
    parts = _NAME.split(path.read_text(encoding="utf-8"))
    return dict(zip(parts[1::2], (statement.strip() for statement in parts[2::2]), strict=True))


def with_literals(statement: str, **values: str | int) -> str:
    """Return the statement with literals in place of its `$name`s, for readers that take no parameters."""

    def literal(variable: re.Match[str]) -> str:
        value = values[variable[1]]
        return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"

    return _VARIABLE.sub(literal, statement)
