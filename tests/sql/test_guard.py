"""What strangers may ask, and what not, before it runs."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from ai3ray.errors import RequestError
from ai3ray.journal.migration import migrations
from ai3ray.sql.guard import refuse_system_access, single_select
from ai3ray.sql.journal_views import views
from tests.sql.test_docs_queries import queries

REFUSED = [
    "SELECT * FROM duckdb_settings()",
    'SELECT * FROM "DUCKDB_settings"()',
    "EXPLAIN ANALYZE SELECT * FROM duckdb_settings()",
    "EXPLAIN (FORMAT json) SELECT * FROM duckdb_settings()",
    "/* why */ EXPLAIN SELECT * FROM duckdb_settings()",
    "DESCRIBE SELECT * FROM duckdb_settings()",
    "SUMMARIZE FROM duckdb_secrets()",
    "WITH RECURSIVE t AS (SELECT 1 UNION ALL FROM duckdb_logs()) FROM t",
    "SELECT EXISTS (FROM duckdb_extensions())",
    "SELECT (SELECT max(path) FROM duckdb_databases())",
    "FROM runs, LATERAL (SELECT * FROM force_checkpoint())",
    "FROM pragma_database_list",
    'FROM system.main."PRAGMA_database_list"',
    "WITH pragma_database_list AS (SELECT 1) FROM pragma_database_list",
    "DESCRIBE duckdb_databases",
    "FROM pg_catalog.pg_settings",
    "FROM query('SELECT 1')",
    "FROM query_table('runs')",
    "FROM json_execute_serialized_sql('{}')",
    "FROM read_csv('/etc/passwd')",
    "FROM read_text('/proc/self/environ')",
    "FROM read_blob('journal.duckdb')",
    "FROM parquet_metadata('x')",
    "FROM glob('/*')",
    "FROM arrow_scan(1, 2, 3)",
    "FROM enable_logging()",
    "SELECT current_setting('temp_directory')",
    "SELECT 'temp_directory'.current_setting()",
    "SELECT list_transform([1], x -> current_setting('temp_directory'))",
    "SELECT 1 ORDER BY current_setting('threads')",
    "SELECT 1 LIMIT (SELECT current_setting('threads')::INT)",
    "SELECT * REPLACE (current_setting('threads') AS status) FROM runs",
    "SELECT count(*) OVER (PARTITION BY current_setting('threads'))",
    "SELECT count(*) FILTER (current_setting('threads') = '1') FROM runs",
    "FROM unnest([current_setting('threads')])",
    "PIVOT (FROM duckdb_settings()) ON name IN ('threads') USING max(value)",
    "SELECT getenv('HOME')",
    "SELECT sleep_ms(60000)",
    "SELECT write_log('x')",
]
ALLOWED = [
    *queries(),
    "FROM runs",
    "SHOW TABLES",
    "DESCRIBE runs",
    "SUMMARIZE runs",
    "FROM duckdb_tables()",
    "FROM information_schema.columns",
    "EXPLAIN ANALYZE SELECT * FROM runs",
    "SELECT unnest([1, 2]), 'current_setting(1)' AS \"function_name\"",
    "FROM events, json_each(events.body)",
    "FROM range(3) UNION ALL FROM generate_series(1, 3)",
    "SELECT * FROM runs ASOF JOIN runs AS later ON runs.created_at >= later.created_at",
    "PIVOT runs ON status IN ('failed', 'succeeded') USING count(*)",
    f"SELECT {' + '.join('1' * 900)}",
    f"SELECT {'(' * 300}1{')' * 300}",
]


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty journal in memory."""
    with duckdb.connect() as connection:
        for step in migrations():
            connection.execute(step)
        connection.execute(views())
        yield connection


@pytest.mark.parametrize("sql", REFUSED)
def test_what_tells_of_the_machine_or_runs_unseen_is_refused(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    query = single_select(sql)
    with pytest.raises(RequestError, match="not allowed here"):
        refuse_system_access(connection, query)


@pytest.mark.parametrize("sql", ALLOWED)
def test_what_people_ask_passes(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    refuse_system_access(connection, single_select(sql))
    connection.execute(single_select(sql)).fetchmany(1)


def test_every_table_function_is_refused_but_those_that_only_compute_or_list(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    """So that what a new version of DuckDB brings is refused until somebody has looked at it."""
    query = "SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type = 'table'"
    passed = set()
    for (name,) in connection.execute(query).fetchall():
        try:
            refuse_system_access(connection, f'SELECT * FROM "{name}"()')
        except RequestError:
            continue
        passed.add(name)
    assert passed <= {
        *("duckdb_columns", "duckdb_functions", "duckdb_keywords", "duckdb_tables", "duckdb_types", "duckdb_views"),
        *("generate_series", "icu_calendar_names", "json_each", "json_tree", "pg_timezone_names"),
        *("pragma_table_info", "range", "repeat", "repeat_row", "unnest"),
    }
