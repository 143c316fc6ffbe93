"""`ai3 stats`: the journal as charts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from ai3ray.errors import UsageError

from .. import options
from ..command_context import load_context
from ..input.durations import parse_duration
from ..journal_stats import query_stats
from ..render.final_answer import print_json
from ..render.stat_charts import journal_stats_json, journal_stats_text
from ..streams import write_stdout

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
    try:
        begin = None if since is None else datetime.now(UTC) - timedelta(seconds=parse_duration(since, "--since"))
    except OverflowError:
        raise UsageError(f"--since {since} reaches back too far; leave it out to count everything", "--since") from None
    found = load_context(config, server).read(lambda reader: query_stats(reader, begin))
    if as_json:
        print_json(journal_stats_json(found))
    else:
        write_stdout(journal_stats_text(found))
