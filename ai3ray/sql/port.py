"""The port to the journal's database."""

from __future__ import annotations

from typing import Protocol

from duckdb import DuckDBPyConnection


class CursorSource(Protocol):
    """A source of connections: a journal's database, or a connection of DuckDB."""

    def cursor(self) -> DuckDBPyConnection:
        """Return a new connection; close it soon."""
        ...
