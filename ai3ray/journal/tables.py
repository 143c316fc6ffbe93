"""Read the journal's tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from ai3ray.domain.call import Attempt
from ai3ray.domain.events import Stats, parse_event
from ai3ray.domain.listings import RunRow
from ai3ray.domain.run import fold
from ai3ray.errors import JournalError
from ai3ray.journal.entries import SeqRange, SequencedRun
from ai3ray.journal.port import RunMeta
from ai3ray.journal.pruning import PrunableRun
from ai3ray.journal.run_clock import RunClock, RunClockFactory
from ai3ray.sql.port import CursorSource
from ai3ray.sql.statements import named_statements
from ai3ray.sql.values import one_line

_ATTEMPT_FIELDS = tuple(Attempt.model_fields)
_STATS_FIELDS = (
    "cost_usd",
    "cost_complete",
    "input_tokens",
    "output_tokens",
    "calls",
    "tasks",
    "seconds",
    "critical_path_seconds",
    "judge_cost_usd",
)


class JournalTables:
    """The tables of the journal's database, for reading; safe to use from several threads."""

    def __init__(self, cursors: CursorSource, new_clock: RunClockFactory = RunClock) -> None:
        self._cursors = cursors
        self._new_clock = new_clock
        self._queries = named_statements(Path(__file__).with_name("queries.sql"))

    def load(self, run_id: str) -> SequencedRun | None:
        """Return the whole run, folded from its history; None when there is no such run."""
        lines = [body for (body,) in self._fetch("run_lines", run_id=run_id, after=0)]
        if not lines:
            return None
        ((owner, request_key, request_hash, epoch),) = self._fetch("run_meta", run_id=run_id)
        events = [parse_event(line) for line in lines]
        attempts = []
        for row in self._fetch("run_attempts", run_id=run_id):
            fields = dict(zip(_ATTEMPT_FIELDS, row, strict=True))
            started_at = fields["started_at"]
            attempts.append(Attempt(**{**fields, "started_at": iso(started_at) if started_at else ""}))
        state = fold(events, attempts)
        return SequencedRun(
            clock=self._new_clock(events[-1].ts),
            state=state,
            committed_state=state,
            meta=RunMeta(owner=owner, request_key=request_key, request_hash=request_hash, epoch=epoch),
            lines=lines,
            puts={key: SeqRange(first, last) for key, first, last in self._fetch("run_puts", run_id=run_id)},
            committed=state.seq,
        )

    def lines(self, run_id: str, after: int) -> Sequence[str] | None:
        """Return the run's event lines after `after`; None when there is no such run."""
        lines = [body for (body,) in self._fetch("run_lines", run_id=run_id, after=after)]
        return lines if lines or self._fetch("run_lines", run_id=run_id, after=0) else None

    def runs(self, limit: int, before: str | None, owner: str | None = None) -> list[RunRow]:
        """List runs, newest first: those after the run `before`, and of `owner` alone when given."""
        rows = self._fetch("run_rows", limit=limit, before=before, owner=owner)
        return [
            RunRow(
                run_id=run_id,
                status=status,
                prompt=prompt,
                started_at=iso(created_at),
                seconds=seconds,
                cost_usd=cost_usd,
            )
            for run_id, status, prompt, created_at, seconds, cost_usd in rows
        ]

    def stats(self, owner: str | None = None) -> Stats:
        """Sum up all runs, or those of one owner."""
        (row,) = self._fetch("stats", owner=owner)
        return Stats(**dict(zip(_STATS_FIELDS, row, strict=True)))

    def spent_since(self, start: datetime) -> list[tuple[str, float]]:
        """Return each owner's cost since this moment (UTC, no zone) in US dollars, unknown bills as reserved."""
        return [(owner, usd) for owner, usd in self._fetch("spent_since", start=start)]

    def newest(self) -> str:
        """Return the highest id of a run; empty when there is none."""
        ((run_id,),) = self._fetch("newest_run")
        return run_id or ""

    def open_runs(self) -> list[str]:
        """Return the ids of incomplete runs, oldest first."""
        return [run_id for (run_id,) in self._fetch("open_runs")]

    def prunable(self, before: datetime) -> list[PrunableRun]:
        """Return the runs that ended at this moment (UTC, no zone) or earlier, oldest first."""
        return [PrunableRun(*row) for row in self._fetch("prunable_runs", before=before)]

    def request_keys(self) -> dict[str, tuple[str, str | None]]:
        """Return run id and body hash by Idempotency-Key."""
        return {key: (run_id, body_hash) for key, run_id, body_hash in self._fetch("request_keys")}

    def _fetch(self, query: str, **values: str | int | datetime | None) -> list[tuple[Any, ...]]:
        try:
            # Each cursor is its own connection: several threads may read while one writes.
            with self._cursors.cursor() as cursor:
                return cursor.execute(self._queries[query], values or None).fetchall()
        except duckdb.Error as error:
            raise JournalError(f"cannot read the journal: {one_line(error)}") from error


def iso(moment: datetime) -> str:
    """Return a UTC time stamp as events have it."""
    return moment.isoformat(timespec="milliseconds") + "Z"
