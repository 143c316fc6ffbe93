"""Check that a query is one SELECT, and for isolated SQL that it reads only the journal's tables."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection, StatementType

from ai3ray.errors import RequestError
from ai3ray.sql.statements import named_statements
from ai3ray.sql.values import one_line

_EXPLAIN = re.compile(r"\s*explain\s+(analyze\s+)?(\([^()]*\)\s*)?", re.IGNORECASE)

# An allow-list: table functions also read files, settings, logs and pointers, and each DuckDB adds new ones.
_TABLE_FUNCTIONS = frozenset({
    "duckdb_columns", "duckdb_functions", "duckdb_keywords", "duckdb_tables", "duckdb_types", "duckdb_views",
    "generate_series", "icu_calendar_names", "json_each", "json_tree", "pg_timezone_names", "pragma_table_info",
    "range", "repeat", "repeat_row", "unnest",
})  # fmt: skip
_SYSTEM_VIEWS = frozenset({"duckdb_columns", "duckdb_tables", "duckdb_types", "duckdb_views", "sqlite_master"})
_REFUSED_FUNCTIONS = frozenset({
    "current_setting", "getenv", "json_serialize_plan", "parse_duckdb_log_message", "sleep_ms", "write_log",
})  # fmt: skip

_SQL = Path(__file__).with_suffix(".sql")


def single_select(sql: str) -> str:
    """Return the text's only statement, a SELECT or an EXPLAIN of a SELECT.

    Run it in a read-only transaction: a WITH clause can contain a write.

    Raises:
        RequestError: the text is anything else.
    """
    statements = _statements(sql)
    if len(statements) != 1:
        raise RequestError(f"the query must be a single SELECT statement, not {len(statements)} statements", "sql")
    query = statements[0].query.strip().rstrip(";")
    inner = statements
    if statements[0].type == StatementType.EXPLAIN:
        inner = _statements(_without_explain(query))
    if len(inner) != 1 or inner[0].type != StatementType.SELECT:
        raise RequestError("the query must be a SELECT, or an EXPLAIN of a SELECT", "sql")
    return query


def refuse_system_access(connection: DuckDBPyConnection, query: str) -> None:
    """Refuse a query that shows the machine, reads files or runs further SQL.

    DuckDB's settings refuse most of this, but DuckDB guarantees no boundary within its process: this is the second
    of several layers.

    Raises:
        RequestError: the query uses a function, view or form that is not allowed; the message names it.
    """
    statements = named_statements(_SQL)
    [(error, tables, functions, names)] = connection.execute(
        statements["parts"], {"query": _without_explain(query)}
    ).fetchall()
    if error:
        raise RequestError("this form of SELECT is not allowed here", "sql")
    for name in sorted(_lower_names(tables) - _TABLE_FUNCTIONS | _lower_names(functions) & _REFUSED_FUNCTIONS):
        raise RequestError(f"the function {name} is not allowed here", "sql")
    internal = {view for (view,) in connection.execute(statements["internal_views"]).fetchall()} - _SYSTEM_VIEWS
    for name in sorted(_lower_names(names) & internal):
        raise RequestError(f"the view {name} is not allowed here", "sql")


def _without_explain(query: str) -> str:
    """Return the query without a leading EXPLAIN."""
    return _EXPLAIN.sub("", query, count=1)


def _lower_names(names: list[str] | None) -> set[str]:
    return {name.lower() for name in names or () if name}


def _statements(sql: str) -> list[duckdb.Statement]:
    try:
        return duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise RequestError(one_line(error), "sql") from error
