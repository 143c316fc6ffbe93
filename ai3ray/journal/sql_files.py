"""The SQL that ships with the package, read from its files."""

from __future__ import annotations

import re
from pathlib import Path

_PACKAGE = Path(__file__).parent.parent
_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


def migrations() -> tuple[str, ...]:
    """The steps from an empty file to the newest schema; step `n` leads to version `n`."""
    return (_text("journal/schema_1.sql"), _text("journal/schema_2.sql"))


def views() -> str:
    """The telemetry views; they hold no data and are created anew whenever they have changed."""
    return _text("telemetry/views.sql")


def named_queries() -> dict[str, str]:
    """The journal's own queries by name."""
    parts = _NAME.split(_text("journal/queries.sql"))
    return dict(zip(parts[1::2], (query.strip() for query in parts[2::2]), strict=True))


def _text(name: str) -> str:
    return (_PACKAGE / name).read_text(encoding="utf-8")
