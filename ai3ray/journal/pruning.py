"""Which runs are old enough to be deleted, and what deleting them gives back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from ai3ray.domain.listings import PruneReport


class PrunableRun(NamedTuple):
    """A run that may be deleted."""

    run_id: str
    """The run."""
    events: int
    """Events of its history."""
    bytes: int
    """Bytes of its events and answers."""


def cutoff(now: str, older_than_s: float) -> datetime:
    """The moment before which a run has to have ended, as UTC without a zone.

    Args:
        now: the wall clock, as the events have it.
        older_than_s: seconds; more than there have been is the beginning of time.
    """
    try:
        moment = datetime.fromisoformat(now).astimezone(UTC) - timedelta(seconds=older_than_s)
    except OverflowError:
        moment = datetime.min.replace(tzinfo=UTC)
    return moment.replace(tzinfo=None)


def prune_report(runs: Sequence[PrunableRun], *, dry_run: bool) -> PruneReport:
    """What these runs are in figures."""
    return PruneReport(
        runs=len(runs),
        events=sum(run.events for run in runs),
        bytes=sum(run.bytes for run in runs),
        dry_run=dry_run,
    )
