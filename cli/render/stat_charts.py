"""The journal's statistics as charts and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby

from ai3ray.report.format import count, money, seconds, share

from ..journal_stats import JournalStats, Row
from ..streams import render_text
from .charts import ChartBar, chart, chart_width

DAYS = 14
"""Days in the chart of costs; the JSON has all."""
MODELS = 6
"""Models named per day."""
GOOD, FAIR = 0.98, 0.9
"""Lowest success rates of a green and a yellow bar."""
_STATUS = {"succeeded": "green", "partial": "yellow", "failed": "red", "cancelled": "red"}


def journal_stats_json(stats: JournalStats) -> str:
    """Return the statistics as JSON."""
    return json.dumps(asdict(stats), indent=2, ensure_ascii=False)


def journal_stats_text(stats: JournalStats, *, width: int | None = None) -> str:
    """Return all charts that are not empty."""
    from rich.console import Group

    width = width or chart_width()
    since = f" since {stats.since}" if stats.since else ""
    if not stats.runs and not stats.cost:
        return f"no runs{since or ' yet'}\n"
    charts = (
        chart("cost by day and model", _cost(stats.cost), width=width),
        chart("latency by model: p50, and p95 behind it", list(map(_latency, stats.latency)), width=width),
        chart("success by provider", list(map(_provider, stats.providers)), width=width, full=1.0),
        chart("runs by status", list(map(_run, stats.runs)), width=width),
        chart("verdicts by kind of task", list(map(_kind, stats.kinds)), width=width, full=1.0),
    )
    # In a group, because Rich forgets that a text alone is not to be wrapped.
    drawn = [render_text(Group(text), width=width) for text in charts if "\n" in text.plain]
    runs = count(sum(row["runs"] for row in stats.runs), "run")
    calls = count(sum(row["calls"] for row in stats.cost), "call")
    return "\n".join([f"{runs}, {calls}, {_money(stats.cost)}{since}\n", *drawn])


def _cost(rows: Sequence[Row]) -> list[ChartBar]:
    days = [(str(day), list(of_day)) for day, of_day in groupby(rows, key=lambda row: row["day"])]
    earlier = [row for _, of_day in days[:-DAYS] for row in of_day]
    bars = [ChartBar(f"{count(len(days) - DAYS, 'earlier day')}", _money(earlier))] if earlier else []
    return bars + [bar for day, of_day in days[-DAYS:] for bar in _day(day, of_day)]


def _day(day: str, rows: Sequence[Row]) -> Iterator[ChartBar]:
    yield ChartBar(day, _money(rows))
    for row in rows[:MODELS]:
        yield ChartBar(f"  {row['model']}", _money([row]), row["cost_usd"], style="cyan")
    if rest := rows[MODELS:]:
        others = count(len(rest), "more model")
        yield ChartBar(f"  {others}", _money(rest), sum(row["cost_usd"] for row in rest), style="cyan")


def _money(rows: Sequence[Row]) -> str:
    known = money(sum(row["cost_usd"] for row in rows))
    return known if all(row["cost_complete"] for row in rows) else f"{known} + $?"


def _latency(row: Row) -> ChartBar:
    note = f"{seconds(row['p50_s'])} / {seconds(row['p95_s'])}"
    return ChartBar(row["model"], note, row["p50_s"], row["p95_s"], style="blue")


def _provider(row: Row) -> ChartBar:
    rate = row["success_rate"]
    style = "" if rate is None else "green" if rate >= GOOD else "yellow" if rate >= FAIR else "red"
    limited = f", {row['rate_limited']:,} rate-limited" if row["rate_limited"] else ""
    note = f"{share(rate)} of {count(row['succeeded'] + row['failed'], 'call')}{limited}"
    return ChartBar(row["provider"], note, rate, None if rate is None else 1.0, style=style)


def _run(row: Row) -> ChartBar:
    return ChartBar(row["status"], f"{row['runs']:,}", row["runs"], style=_STATUS.get(row["status"], "cyan"))


def _kind(row: Row) -> ChartBar:
    passed = row["passed"] / row["verified"] if row["verified"] else None
    note = f"{row['passed']:,} of {row['verified']:,} passed, {count(row['repairs'], 'repair')}"
    return ChartBar(row["kind"], note, passed, None if passed is None else 1.0, style="green")
