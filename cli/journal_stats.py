"""The figures behind the charts: five questions to the journal."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ai3ray.client.port import RunReader

_QUERIES = Path(__file__).with_name("stats.sql")
_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)
_EVER = "0001-01-01 00:00:00"

Row = Mapping[str, Any]


@dataclass(frozen=True)
class JournalStats:
    """What has happened, summed; each list has the columns of its query."""

    since: str | None
    """UTC; what began earlier is left out. None when nothing is."""
    cost: Sequence[Row]
    """Calls and cost by day and model."""
    latency: Sequence[Row]
    """Seconds of successful calls by model."""
    providers: Sequence[Row]
    """How calls ended by provider."""
    runs: Sequence[Row]
    """Runs by status."""
    kinds: Sequence[Row]
    """Verdicts and repairs by kind of task."""


async def query_stats(reader: RunReader, since: datetime | None) -> JournalStats:
    """Ask for all of them.

    Args:
        reader: the head, a server, or the journal's file.
        since: UTC; leave out what began earlier.
    """
    moment = since.replace(tzinfo=None).isoformat(sep=" ", timespec="seconds") if since else _EVER
    queries = _named_queries()
    answers: dict[str, list[Row]] = {}
    for name in (field.name for field in fields(JournalStats) if field.name != "since"):
        table = await reader.sql(queries[name].replace("{since}", f"TIMESTAMP '{moment}'"))
        answers[name] = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    return JournalStats(since=moment.replace(" ", "T") + "Z" if since else None, **answers)


def _named_queries() -> dict[str, str]:
    parts = _NAME.split(_QUERIES.read_text(encoding="utf-8"))
    return dict(zip(parts[1::2], (query.strip() for query in parts[2::2]), strict=True))
