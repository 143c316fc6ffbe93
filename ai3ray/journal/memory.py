"""A journal in memory, with the same guarantees within one process."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

from ai3ray.domain.call import Attempt
from ai3ray.domain.events import Event, utc_now
from ai3ray.domain.listings import PruneReport, RunRow
from ai3ray.domain.run import RunState, seconds_between
from ai3ray.journal.entries import BatchOutcome, PutReceipt, SequencedRun
from ai3ray.journal.port import RunMeta
from ai3ray.journal.pruning import PrunableRun, cutoff, prune_report
from ai3ray.journal.run_clock import Clock, Monotonic, RunClock
from ai3ray.journal.sequencer import Sequencer

_UNLIMITED = 1 << 62


class _EmptyStore:
    """A store without runs."""

    def load(self, run_id: str) -> SequencedRun | None:  # noqa: ARG002 (the port's shape)
        return None

    def lines(self, run_id: str, after: int) -> Sequence[str] | None:  # noqa: ARG002 (the port's shape)
        return None


class MemoryJournal:
    """A journal that commits entries as soon as they are put. For clocks see `RunClock`."""

    def __init__(self, clock: Clock = utc_now, monotonic: Monotonic = time.monotonic) -> None:
        self._clock = clock
        new_clock = partial(RunClock, clock=clock, monotonic=monotonic)
        self._sequencer = Sequencer(_EmptyStore(), new_clock=new_clock, finished_kept=_UNLIMITED)

    def put(
        self,
        run_id: str,
        events: Sequence[Event] = (),
        attempts: Sequence[Attempt] = (),
        *,
        key: str | None = None,
        meta: RunMeta | None = None,
    ) -> PutReceipt:
        """Sequence entries and commit them, as `Journal.put`."""
        stamped, run, entry = self._sequencer.put(run_id, events, attempts, key, meta)
        if entry is not None:
            self._sequencer.commit((entry,))
        outcome = BatchOutcome()
        outcome.finish()
        return PutReceipt(stamped, outcome, run)

    def state(self, run_id: str) -> RunState:
        """Return the live state. Raises UnknownRun."""
        return self._sequencer.state(run_id)

    async def committed_state(self, run_id: str) -> RunState:
        """Return the committed state. Raises UnknownRun."""
        return await self._sequencer.committed_state(run_id)

    def now(self, run_id: str) -> str:
        """Return the time of the run's clock. Raises UnknownRun."""
        return self._sequencer.now(run_id)

    def meta(self, run_id: str) -> RunMeta:
        """Return the run's meta data. Raises UnknownRun."""
        return self._sequencer.meta(run_id)

    def find_by_key(self, request_key: str) -> tuple[str, str | None] | None:
        """Return run id and body hash for this Idempotency-Key."""
        return self._sequencer.find_by_key(request_key)

    async def tail(self, run_id: str, after: int) -> Sequence[str]:
        """Return the committed events after `after`, as `Journal.tail`."""
        return await self._sequencer.tail(run_id, after)

    async def runs(self, limit: int = 50, before: str | None = None, *, owner: str | None = None) -> Sequence[RunRow]:
        """List runs, newest first, as `Journal.runs`."""
        runs = sorted(self._sequencer.runs(), key=lambda run: run.ordinal, reverse=True)
        last = next((run.ordinal for run in runs if run.state.run_id == before), None)
        wanted = [
            run
            for run in runs
            if (before is None or (last is not None and run.ordinal < last)) and owner in (None, run.meta.owner)
        ]
        return list(map(_row, wanted[:limit]))

    def open_runs(self) -> Sequence[str]:
        """Return the ids of incomplete runs, oldest first."""
        return self._sequencer.open_runs()

    async def prune(self, older_than_s: float, *, dry_run: bool = False) -> PruneReport:
        """Forget the runs that ended earlier than this, as `Journal.prune`."""
        moment = cutoff(self._clock(), older_than_s)
        prunable = [
            _prunable(run)
            for run in self._sequencer.runs()
            if run.state.complete and run.state.finished_at and cutoff(run.state.finished_at, 0) <= moment
        ]
        if not dry_run:
            self._sequencer.forget(self._sequencer.reserve_for_deletion(run.run_id for run in prunable))
        return prune_report(prunable, dry_run=dry_run)

    async def aclose(self) -> None:
        """Refuse further entries; waiting readers get a JournalError."""
        self._sequencer.stop("the journal is closed")


def _prunable(run: SequencedRun) -> PrunableRun:
    answers = [task.output.encode() for task in run.state.tasks.values() if task.output is not None]
    lines = [line.encode() for line in run.lines]
    return PrunableRun(run.state.run_id, len(lines), sum(map(len, (*lines, *answers))))


def _row(run: SequencedRun) -> RunRow:
    state = run.state
    return RunRow(
        run_id=state.run_id,
        status=state.status,
        prompt=str(state.request.get("prompt", "")),
        started_at=state.created_at,
        seconds=seconds_between(state.created_at, state.finished_at),
        cost_usd=state.tally.known_usd,
    )
