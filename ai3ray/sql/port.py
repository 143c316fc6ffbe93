"""The port through which SQL reaches the journal's database."""

from __future__ import annotations

from typing import Protocol

from duckdb import DuckDBPyConnection


class CursorSource(Protocol):
    """Whatever gives connections to the journal's database: an open file, or DuckDB's own connection."""

    def cursor(self) -> DuckDBPyConnection:
        """A connection of its own, to be closed soon."""
        ...
