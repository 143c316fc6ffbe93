"""`ai3 stats`: the journal as charts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from .. import options

if TYPE_CHECKING:
    from ..command_context import CommandContext
    from ..journal_stats import JournalStats

Since = Annotated[str | None, typer.Option("--since", metavar="AGE", help="Only what began in the last 12h, 7d, 4w.")]


def stats(
    as_json: options.AsJson = False,
    since: Since = None,
    server: options.Server = None,
    config: options.Config = None,
) -> None:
    """Draw cost, latency, success and verdicts.

    Cost by day and model, latency by model, success by provider, runs by status, verdicts by kind.

    Examples:
      ai3 stats --since 7d
      ai3 stats --json | jq '.latency[] | {model, p95_s}'
    """
    from ..command_context import load_context, run_async
    from ..render.final_answer import print_json
    from ..render.stat_charts import journal_stats_json, journal_stats_text
    from ..streams import write_stdout

    figures = run_async(_figures(load_context(config, server), _moment(since)))
    if as_json:
        print_json(journal_stats_json(figures))
    else:
        write_stdout(journal_stats_text(figures))


def _moment(since: str | None) -> datetime | None:
    from ai3ray.errors import UsageError

    from ..input.durations import parse_duration

    if since is None:
        return None
    try:
        return datetime.now(UTC) - timedelta(seconds=parse_duration(since, "--since"))
    except OverflowError:
        raise UsageError(f"--since {since} is before all history; leave it out", "--since") from None


async def _figures(context: CommandContext, since: datetime | None) -> JournalStats:
    from ..journal_stats import query_stats

    async with context.reader() as reader:
        return await query_stats(reader, since)
