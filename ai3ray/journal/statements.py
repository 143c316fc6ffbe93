"""The SQL that ships with the package, read from its files."""

from __future__ import annotations

import re
from pathlib import Path

_FOLDER = Path(__file__).parent
_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


def migrations() -> tuple[str, ...]:
    """The steps from an empty file to the newest schema; step `n` leads to version `n`."""
    return (_text("schema_1.sql"), _text("schema_2.sql"))


def named_queries() -> dict[str, str]:
    """The journal's own queries by name."""
    parts = _NAME.split(_text("queries.sql"))
    return dict(zip(parts[1::2], (query.strip() for query in parts[2::2]), strict=True))


def _text(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")
