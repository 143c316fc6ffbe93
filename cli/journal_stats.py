"""The figures of `ai3 stats`, from the queries in `stats.sql`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from ai3ray.client.port import RunReader
from ai3ray.sql.statements import named_statements, with_literals

_QUERIES = Path(__file__).with_name("stats.sql")
_BEGINNING = "0001-01-01 00:00:00"

Row = Mapping[str, Any]


@dataclass(frozen=True)
class JournalStats:
    """Sums over the journal; each list has the columns of its query."""

    since: str | None
    """UTC; None counts everything."""
    cost: Sequence[Row]
    """By day and model."""
    latency: Sequence[Row]
    """Of successful calls, by model."""
    providers: Sequence[Row]
    runs: Sequence[Row]
    kinds: Sequence[Row]
    """Verdicts and repairs by kind."""


async def query_stats(reader: RunReader, since: datetime | None) -> JournalStats:
    """Run all queries, over what began after `since` (UTC)."""
    begin = since.replace(tzinfo=None).isoformat(sep=" ", timespec="seconds") if since else _BEGINNING
    queries = named_statements(_QUERIES)
    answers: dict[str, list[Row]] = {}
    for name in (field.name for field in fields(JournalStats) if field.name != "since"):
        table = await reader.sql(with_literals(queries[name], since=begin))
        answers[name] = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    return JournalStats(since=begin.replace(" ", "T") + "Z" if since else None, **answers)
