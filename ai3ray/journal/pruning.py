"""Choose the runs that are old enough to be deleted, and count what that frees."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from ai3ray.domain.listings import PruneReport


class PrunableRun(NamedTuple):
    """A run that is old enough to be deleted."""

    run_id: str
    events: int
    bytes: int
    """Of its events and answers."""


def cutoff(now: str, older_than_s: float) -> datetime:
    """Return the moment `older_than_s` seconds before `now`, as UTC without a zone; at the earliest year 1."""
    try:
        moment = datetime.fromisoformat(now).astimezone(UTC) - timedelta(seconds=older_than_s)
    except OverflowError:
        moment = datetime.min.replace(tzinfo=UTC)
    return moment.replace(tzinfo=None)


def prune_report(runs: Sequence[PrunableRun], *, dry_run: bool) -> PruneReport:
    """Sum up these runs."""
    return PruneReport(
        runs=len(runs),
        events=sum(run.events for run in runs),
        bytes=sum(run.bytes for run in runs),
        dry_run=dry_run,
    )
