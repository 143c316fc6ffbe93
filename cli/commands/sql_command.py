"""`ai3 sql`: read-only SQL over the journal."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from ai3ray.errors import UsageError

from .. import options
from ..command_context import load_context, notify
from ..input.text_input import STDIN, read_text
from ..render.query_table import table_text
from ..streams import write_stdout

Query = Annotated[str, typer.Argument(metavar="QUERY", help="One SELECT; '-' reads it from stdin.")]
Format = Annotated[Literal["table", "json", "csv"], typer.Option("--format", help="Output format.")]
Limit = Annotated[int, typer.Option("--limit", metavar="N", min=1, help="Return at most N rows.")]


def sql(
    query: Query,
    format: Format = "table",  # noqa: A002 - the flag's name
    limit: Limit = 10_000,
    server: options.Server = None,
    config: options.Config = None,
) -> None:
    """Query the journal with read-only SQL.

    Tables: runs, tasks, attempts, decisions, events, artifacts.
    Views: model_stats, provider_stats, run_summary, cost_by_day, verifier_stats.

    Examples:
      ai3 sql "SELECT status, count(*) AS n FROM runs GROUP BY status"
      ai3 sql "SELECT * FROM model_stats" --format json
      ai3 sql - --format csv < query.sql > rows.csv
    """
    text = read_text(STDIN) if query == STDIN else query
    if not text.strip():
        raise UsageError("the query is empty; give one SELECT statement")
    answer = load_context(config, server).read(lambda reader: reader.sql(text, max_rows=limit))
    write_stdout(table_text(answer, format))
    if answer.truncated:
        notify(f"showing only the first {len(answer.rows):,} rows; give a higher --limit for more")
