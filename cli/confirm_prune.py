"""Deleting old runs: counted first, confirmed, then deleted."""

from __future__ import annotations

import sys

from ai3ray.connect import prune
from ai3ray.domain.listings import PruneReport
from ai3ray.errors import UsageError

from .command_context import CommandContext, notify, run_async
from .render.run_tables import prune_summary
from .streams import is_terminal


def confirm_and_prune(context: CommandContext, older_than_s: float, *, dry_run: bool, ask: bool) -> PruneReport:
    """Delete runs that ended more than `older_than_s` seconds ago, and report what was or would be deleted.

    Raises:
        UsageError: stdin is not a terminal to ask on, or the runs belong to a server.
    """
    if context.settings.server is not None:
        raise UsageError(
            "AI3_SERVER is set, and runs on a server cannot be pruned from here; unset it to prune this home"
        )
    if dry_run or not ask:
        return run_async(prune(context.settings, older_than_s, dry_run=dry_run))
    if not is_terminal(sys.stdin):
        raise UsageError(
            "cannot ask before deleting, because stdin is not a terminal; give --yes to delete, or --dry-run to count"
        )
    preview = run_async(prune(context.settings, older_than_s, dry_run=True))
    if preview.runs:
        notify(prune_summary(preview))
        sys.stderr.write("delete them permanently? [y/N] ")
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() in ("y", "yes"):
            return run_async(prune(context.settings, older_than_s))
    return preview.model_copy(update={"runs": 0, "events": 0, "bytes": 0, "dry_run": False})
