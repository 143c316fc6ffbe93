"""Read-only SQL for users: what is let through, how it is bounded, and its values as JSON."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import duckdb
from duckdb import DuckDBPyConnection, StatementType

from ai3ray.domain.views import Table
from ai3ray.errors import RequestError
from ai3ray.journal.connection import one_line

_EXPLAIN = re.compile(r"\s*explain\s+(analyze\s+)?(\([^()]*\)\s*)?", re.IGNORECASE)
_QUERIES_AT_A_TIME = 2


def select_of(sql: str) -> str:
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
        inner = _statements(_EXPLAIN.sub("", query, count=1))
    if len(inner) != 1 or inner[0].type != StatementType.SELECT:
        raise RequestError("only SELECT, or EXPLAIN of a SELECT, is allowed", "sql")
    return query


def json_value(value: Any) -> Any:
    """The value as JSON knows it: no NaN, no bytes, no time but as text."""
    match value:
        case None | bool() | int() | str():
            return value
        case float() | Decimal():
            return float(value) if math.isfinite(value) else None
        case datetime():
            precision = "microseconds" if value.microsecond % 1000 else "milliseconds"
            return value.isoformat(timespec=precision) + ("Z" if value.tzinfo is None else "")
        case date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case bytes():
            return value.hex()
        case Mapping():
            return {str(key): json_value(item) for key, item in value.items()}
        case list() | tuple():
            return [json_value(item) for item in value]
    return str(value)


class SqlConsole:
    """Runs users' queries beside the writer, each on a connection of its own."""

    def __init__(self, connection: DuckDBPyConnection) -> None:
        self._connection = connection
        self._threads = ThreadPoolExecutor(_QUERIES_AT_A_TIME, thread_name_prefix="journal-sql")
        self._running: set[DuckDBPyConnection] = set()

    async def query(self, sql: str, *, max_rows: int = 10_000, timeout_s: float = 10.0) -> Table:
        """Run one SELECT and return at most `max_rows` rows.

        Raises:
            RequestError: it is not a SELECT, it is wrong, or it took longer than `timeout_s` seconds.
        """
        query = select_of(sql)
        cursor = self._connection.cursor()
        work = asyncio.get_running_loop().run_in_executor(self._threads, _run, cursor, query, max_rows)
        self._running.add(cursor)
        try:
            async with asyncio.timeout(timeout_s):
                return await work
        except asyncio.CancelledError:
            _interrupt(cursor)  # who asked has left
            raise
        except TimeoutError:
            _interrupt(cursor)
            raise RequestError(f"the query took longer than {timeout_s:g} s and was stopped", "sql") from None
        except duckdb.Error as error:
            raise RequestError(one_line(error), "sql") from error
        finally:
            self._running.discard(cursor)

    def interrupt(self) -> None:
        """Stop the queries that run now; may be called from any thread."""
        for cursor in tuple(self._running):
            _interrupt(cursor)

    async def aclose(self) -> None:
        """Stop what still runs and wait for its threads."""
        self.interrupt()
        await asyncio.to_thread(self._threads.shutdown, wait=True, cancel_futures=True)


def _interrupt(cursor: DuckDBPyConnection) -> None:
    with contextlib.suppress(duckdb.ConnectionException):  # it ended, and its thread has closed it
        cursor.interrupt()


def _statements(sql: str) -> list[duckdb.Statement]:
    try:
        return duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise RequestError(one_line(error), "sql") from error


def _run(cursor: DuckDBPyConnection, query: str, max_rows: int) -> Table:
    try:
        cursor.execute("BEGIN TRANSACTION READ ONLY")
        return _table(cursor.execute(query), query, max_rows)
    finally:
        cursor.close()


def _table(cursor: DuckDBPyConnection, query: str, max_rows: int) -> Table:
    columns = tuple(str(column[0]) for column in cursor.description or ())
    types = [str(column[1]) for column in cursor.description or ()]
    if "TIMESTAMP WITH TIME ZONE" in types:
        cursor.execute(_without_zones(query, types))
    rows = cursor.fetchmany(max_rows + 1)
    is_json = [name == "JSON" for name in types]
    return Table(
        columns=columns,
        rows=tuple(
            tuple(_cell(value, parse) for value, parse in zip(row, is_json, strict=True)) for row in rows[:max_rows]
        ),
        truncated=len(rows) > max_rows,
    )


def _without_zones(query: str, types: list[str]) -> str:
    """The same query with plain UTC time stamps: DuckDB's Python client needs another package for zones."""
    names = [f"c{n}" for n in range(len(types))]
    casts = [
        f"{name}::TIMESTAMP" if kind == "TIMESTAMP WITH TIME ZONE" else name
        for name, kind in zip(names, types, strict=True)
    ]
    return f"SELECT {', '.join(casts)} FROM (\n{query}\n) AS answer({', '.join(names)})"  # noqa: S608 (checked SELECT)


def _cell(value: Any, parse: bool) -> Any:
    return json.loads(value) if parse and value is not None else json_value(value)
