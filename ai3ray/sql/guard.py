"""What may be asked in SQL: one SELECT, and for strangers none that looks beyond the journal's tables."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection, StatementType

from ai3ray.errors import RequestError
from ai3ray.sql.statements import named_statements
from ai3ray.sql.values import one_line

_EXPLAIN = re.compile(r"\s*explain\s+(analyze\s+)?(\([^()]*\)\s*)?", re.IGNORECASE)

# Files, settings, logs and pointers are table functions too, and each version of DuckDB brings new ones.
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
    """The one SELECT, or EXPLAIN of a SELECT, that the text consists of.

    A SELECT may still hide a write in a WITH clause: that is stopped by running it in a transaction
    that is read-only.

    Raises:
        RequestError: it is anything else.
    """
    statements = _statements(sql)
    if len(statements) != 1:
        raise RequestError(f"one SELECT is expected, not {len(statements)} statements", "sql")
    query = statements[0].query.strip().rstrip(";")
    inner = statements
    if statements[0].type == StatementType.EXPLAIN:
        inner = _statements(_without_explain(query))
    if len(inner) != 1 or inner[0].type != StatementType.SELECT:
        raise RequestError("only SELECT, or EXPLAIN of a SELECT, is allowed", "sql")
    return query


def refuse_system_access(connection: DuckDBPyConnection, query: str) -> None:
    """Let nothing through that tells about the machine, reads files, or runs SQL that is not looked at here.

    DuckDB's own switches close most of this; it promises no boundary inside its process, so this
    is the second lock of several.

    Args:
        connection: any; it only parses.
        query: what `single_select` has let through.

    Raises:
        RequestError: naming the function or view.
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
    """The query without the EXPLAIN before it."""
    return _EXPLAIN.sub("", query, count=1)


def _lower_names(names: list[str] | None) -> set[str]:
    return {name.lower() for name in names or () if name}


def _statements(sql: str) -> list[duckdb.Statement]:
    try:
        return duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise RequestError(one_line(error), "sql") from error
