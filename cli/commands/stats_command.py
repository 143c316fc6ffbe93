"""`ai3 stats`: the journal as charts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from .. import options

if TYPE_CHECKING:
    from ..command_context import Setup
    from ..journal_stats import Figures

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
    from ..command_context import complete, prepared
    from ..render.final_answer import emit_json
    from ..render.stat_charts import figures_json, figures_text
    from ..streams import emit

    figures = complete(_figures(prepared(config, server), _moment(since)))
    if as_json:
        emit_json(figures_json(figures))
    else:
        emit(figures_text(figures))


def _moment(since: str | None) -> datetime | None:
    from ai3ray.errors import UsageError

    from ..input.durations import seconds_of

    if since is None:
        return None
    try:
        return datetime.now(UTC) - timedelta(seconds=seconds_of(since, "--since"))
    except OverflowError:
        raise UsageError(f"--since {since} is before all history; leave it out", "--since") from None


async def _figures(setup: Setup, since: datetime | None) -> Figures:
    from ..journal_stats import figures_of

    async with setup.reader() as reader:
        return await figures_of(reader, since)
