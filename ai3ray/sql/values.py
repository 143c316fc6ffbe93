"""Query answers as rows of JSON values, up to a number of rows and bytes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Generic, TypeVar

from duckdb import DuckDBPyConnection

from ai3ray.errors import RequestError

Row = tuple[Any, ...]
T = TypeVar("T")

_ROWS_AT_ONCE = 100


def json_value(value: Any) -> Any:
    """Return the value as JSON: times as ISO 8601, bytes as hex, NaN and infinity as null."""
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


def json_size(value: Any) -> int:
    """Return roughly how many bytes this value takes as JSON."""
    match value:
        case str():
            return len(value) + 2
        case dict():
            return sum(len(key) + 4 + json_size(item) for key, item in value.items()) + 2
        case list() | tuple():
            return sum(map(json_size, value)) + len(value) + 2
    return 8


class QueryAnswer:
    """The rows of one SELECT, fetched during iteration.

    Raises:
        duckdb.Error: the query fails, when made or during iteration.
    """

    def __init__(self, connection: DuckDBPyConnection, query: str) -> None:
        self._cursor = connection.execute(query)
        described = self._cursor.description or ()
        self.columns = tuple(str(column[0]) for column in described)
        types = [str(column[1]) for column in described]
        self._is_json = [name == "JSON" for name in types]
        if "TIMESTAMP WITH TIME ZONE" in types:
            self._cursor.execute(_without_zones(query, types))

    def __iter__(self) -> Iterator[Row]:
        while rows := self._cursor.fetchmany(_ROWS_AT_ONCE):
            for row in rows:
                yield tuple(_json_cell(value, parse) for value, parse in zip(row, self._is_json, strict=True))


class CappedItems(Generic[T]):
    """The first items, up to a number of items and of bytes, which `size_of` counts."""

    def __init__(self, items: Iterable[T], size_of: Callable[[T], int], max_items: int, max_bytes: int) -> None:
        self._items = items
        self._weigh = size_of
        self._max_items = max_items
        self._max_bytes = max_bytes
        self.truncated = False
        """True once an item was left out."""

    def __iter__(self) -> Iterator[T]:
        size = 0
        for place, item in enumerate(self._items):
            size += self._weigh(item)
            if place == 0 and size > self._max_bytes:
                raise RequestError(f"a row is larger than the {self._max_bytes / 1e6:g} MB of an answer", "sql")
            if place == self._max_items or size > self._max_bytes:
                self.truncated = True
                return
            yield item


def _without_zones(query: str, types: list[str]) -> str:
    """Return the query with UTC time stamps without zones, for which DuckDB's client would need another package."""
    names = [f"c{n}" for n in range(len(types))]
    casts = [
        f"{name}::TIMESTAMP" if kind == "TIMESTAMP WITH TIME ZONE" else name
        for name, kind in zip(names, types, strict=True)
    ]
    return f"SELECT {', '.join(casts)} FROM (\n{query}\n) AS answer({', '.join(names)})"  # noqa: S608 (checked SELECT)


def _json_cell(value: Any, parse: bool) -> Any:
    return json.loads(value) if parse and value is not None else json_value(value)


def one_line(error: BaseException) -> str:
    """Return the error's message in one line, without DuckDB's excerpt of the query."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    excerpt = next((n for n, line in enumerate(lines) if line.startswith("LINE ")), len(lines))
    return " ".join(line.strip() for line in lines[:excerpt] if line.strip())
