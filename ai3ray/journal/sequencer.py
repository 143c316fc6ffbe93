"""Order entries, fold them into live state and wake readers, in memory."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from ai3ray.domain.call import Attempt
from ai3ray.domain.events import Event, parse_event
from ai3ray.domain.run import RunState, advance
from ai3ray.errors import IllegalTransition, JournalError, KeyReused, UnknownRun
from ai3ray.journal.entries import Entry, SeqRange, SequencedRun, Snapshot
from ai3ray.journal.port import RunMeta
from ai3ray.journal.run_clock import RunClock, RunClockFactory

FINISHED_KEPT = 8
WAITING_BYTES = 64 << 20
"""Size of the entries that wait in memory while the disk refuses writes."""
_ATTEMPT_BYTES = 1000


class RunStore(Protocol):
    """Runs that are not in memory."""

    def load(self, run_id: str) -> SequencedRun | None:
        """Return the whole run; None when there is no such run."""
        ...

    def lines(self, run_id: str, after: int) -> Sequence[str] | None:
        """Return the run's event lines after `after`; None when there is no such run."""
        ...


class Sequencer:
    """The live runs, and the order of their entries.

    Args:
        store: runs that are not in memory.
        new_clock: makes a run's clock.
        open_runs: ids of incomplete stored runs, oldest first.
        request_keys: run id and body hash by Idempotency-Key.
        newest: the highest stored id. Ids grow with time, so a higher one is not looked up.
        finished_kept: finished runs that stay in memory.
    """

    def __init__(
        self,
        store: RunStore,
        *,
        new_clock: RunClockFactory = RunClock,
        open_runs: Iterable[str] = (),
        request_keys: Mapping[str, tuple[str, str | None]] | None = None,
        newest: str = "",
        finished_kept: int = FINISHED_KEPT,
    ) -> None:
        self._store = store
        self._new_clock = new_clock
        self._open = dict.fromkeys(open_runs)
        self._request_keys = dict(request_keys or {})
        self._newest = newest
        self._finished_kept = finished_kept
        self._live: dict[str, SequencedRun] = {}
        self._finished: OrderedDict[str, SequencedRun] = OrderedDict()
        self._being_deleted: set[str] = set()
        self._begun = 0
        self._waiting = 0
        self._new_runs_refused: str | None = None
        self._refusal: str | None = None
        self._stopped: str | None = None

    def put(
        self,
        run_id: str,
        events: Sequence[Event],
        attempts: Sequence[Attempt],
        key: str | None,
        meta: RunMeta | None,
    ) -> tuple[tuple[Event, ...], SequencedRun, Entry | None]:
        """Sequence entries as `Journal.put` does; raise what it raises.

        Returns:
            The stamped events, their run, and the entry to commit: None for a repeated key.
        """
        # 1. Find the run; a key seen before changes nothing.
        if self._refusal:
            raise JournalError(self._refusal)
        run = self._find(run_id)
        if run is not None and key is not None and key in run.puts:
            first, last = run.puts[key]
            return tuple(map(parse_event, run.lines[first - 1 : last])), run, None
        if run is None and not (events and events[0].type == "run_start"):
            raise UnknownRun(f"there is no run {run_id!r}")
        # 2. Refuse a reused request key. While the disk refuses writes, refuse new runs, and all beyond a size.
        known = self.find_by_key(meta.request_key) if meta and meta.request_key is not None else None
        if known is not None and known[0] != run_id:
            raise KeyReused("this Idempotency-Key already belongs to another run")
        if self._new_runs_refused and (run is None or self._waiting > WAITING_BYTES):
            raise JournalError(self._new_runs_refused)
        # 3. Stamp the events and fold them; an illegal one raises.
        run = run or SequencedRun(self._new_clock(), ordinal=self._begun + 1)
        state, stamped = self._fold(run_id, run, events, attempts)
        lines = tuple(event.line() for event in stamped)
        entry = Entry(
            run=run,
            before=Snapshot(run.state, run.meta),
            after=Snapshot(state, meta or run.meta),
            events=stamped,
            attempts=tuple(attempts),
            lines=lines,
            seqs=SeqRange(run.state.seq + 1, state.seq),
            key=key,
            size_bytes=sum(map(len, lines)) + _ATTEMPT_BYTES * len(attempts),
        )
        # 4. Accept the entry. Nothing has changed up to here, and nothing can fail from here on.
        self._accept(run_id, entry)
        return stamped, run, entry

    def state(self, run_id: str) -> RunState:
        """Return the live state. Raises UnknownRun."""
        return self._run(run_id).state

    async def committed_state(self, run_id: str) -> RunState:
        """Return the state on disk. Raises UnknownRun, also while nothing of the run is on disk."""
        await self._ensure_loaded(run_id)
        committed_state = self._run(run_id).committed_state
        if committed_state is None:
            raise UnknownRun(f"there is no run {run_id!r}")
        return committed_state

    def meta(self, run_id: str) -> RunMeta:
        """Return the run's meta data. Raises UnknownRun."""
        return self._run(run_id).meta

    def now(self, run_id: str) -> str:
        """Return the time of the run's clock. Raises UnknownRun."""
        return self._run(run_id).clock()

    def find_by_key(self, request_key: str) -> tuple[str, str | None] | None:
        """Return run id and body hash for this Idempotency-Key."""
        known = self._request_keys.get(request_key)
        return None if known is None or known[0] in self._being_deleted else known

    def open_runs(self) -> tuple[str, ...]:
        """Return the ids of incomplete runs, oldest first."""
        return tuple(self._open)

    def runs(self) -> tuple[SequencedRun, ...]:
        """Return every run in memory, in no order."""
        return (*self._live.values(), *self._finished.values())

    async def tail(self, run_id: str, after: int) -> Sequence[str]:
        """Return the committed lines after `after`, as `Journal.tail`."""
        after = max(after, 0)
        while run_id in self._open or run_id in self._live or run_id in self._finished:
            await self._ensure_loaded(run_id)
            run = self._run(run_id)
            if run.committed > after:
                return run.lines[after : run.committed]
            if run.state.complete and run.committed == run.state.seq:
                return ()
            if self._stopped:
                raise JournalError(self._stopped)
            await run.changed.wait()
        lines = await asyncio.to_thread(self._store.lines, run_id, after)
        if lines is None:
            raise UnknownRun(f"there is no run {run_id!r}")
        return lines

    def commit(self, entries: Iterable[Entry]) -> None:
        """Mark these entries, and all before them, as on disk, and wake their readers."""
        touched = {}
        for entry in entries:
            run = entry.run
            run.committed = max(run.committed, entry.seqs.last)
            run.committed_state = entry.after.state
            run.pending -= 1
            self._waiting -= entry.size_bytes
            touched[run.state.run_id] = run
        for run_id, run in touched.items():
            run.wake()
            if run.state.complete and not run.pending:
                self._retire(run_id, run)

    def reserve_for_deletion(self, run_ids: Iterable[str]) -> frozenset[str]:
        """Hide the ended runs among these, so that nothing is added during their deletion; return them.

        Runs with entries on the way to the disk are left out.
        """
        idle = frozenset(run_ids).difference(self._live, self._open, self._being_deleted)
        self._being_deleted |= idle
        return idle

    def release(self, run_ids: Iterable[str]) -> None:
        """Show runs again that were not deleted."""
        self._being_deleted -= frozenset(run_ids)

    def forget(self, run_ids: Iterable[str]) -> None:
        """Drop runs from memory that were deleted from the disk."""
        gone = frozenset(run_ids)
        for run_id in gone:
            self._finished.pop(run_id, None)
        self._request_keys = {key: known for key, known in self._request_keys.items() if known[0] not in gone}
        self._being_deleted -= gone

    def refuse_new_runs(self, reason: str) -> bool:
        """Refuse new runs while the disk refuses writes; return whether they were accepted before."""
        known, self._new_runs_refused = self._new_runs_refused, reason
        return known is None

    def accept_new_runs(self) -> None:
        """Accept new runs again."""
        self._new_runs_refused = None

    def refuse_unsaved(self, entries: Sequence[Entry], reason: str) -> list[Entry]:
        """Refuse the runs that have nothing on disk, and return the entries of the others.

        The refused runs were never acknowledged, so their senders get the reason at once.
        """
        for run in {id(entry.run): entry.run for entry in entries}.values():
            if run.committed_state is None and not run.refused:
                run.refused = reason
                self._live.pop(run.state.run_id)
                self._open.pop(run.state.run_id, None)
                self._request_keys.pop(run.meta.request_key or "", None)
                run.wake()
        self._waiting -= sum(entry.size_bytes for entry in entries if entry.run.refused)
        return [entry for entry in entries if not entry.run.refused]

    def refuse(self, reason: str) -> None:
        """Refuse all further entries."""
        self._refusal = self._refusal or reason

    def stop(self, reason: str) -> None:
        """Refuse all further entries and wake the readers: nothing more will be committed."""
        self.refuse(reason)
        self._stopped = self._refusal
        for run in self._live.values():
            run.wake()

    def _run(self, run_id: str) -> SequencedRun:
        run = self._find(run_id)
        if run is None:
            raise UnknownRun(f"there is no run {run_id!r}")
        return run

    def _find(self, run_id: str) -> SequencedRun | None:
        if run_id in self._being_deleted:
            return None
        run = self._live.get(run_id) or self._finished.get(run_id)
        if run is None and run_id <= self._newest:
            run = self._store.load(run_id)
            if run is not None:
                self._adopt(run_id, run)
        return run

    async def _ensure_loaded(self, run_id: str) -> None:
        """Load a run into memory without blocking the event loop; do nothing when there is no such run."""
        in_memory = run_id in self._live or run_id in self._finished
        if not in_memory and run_id not in self._being_deleted and run_id <= self._newest:
            run = await asyncio.to_thread(self._store.load, run_id)
            if run is not None and run_id not in self._being_deleted:
                self._adopt(run_id, run)

    def _adopt(self, run_id: str, run: SequencedRun) -> None:
        """Add a run from disk, unless it is in memory by now."""
        if run_id in self._live or run_id in self._finished:
            return
        if run.state.complete:
            self._retire(run_id, run)
        else:
            self._live[run_id] = run

    def _fold(
        self, run_id: str, run: SequencedRun, drafts: Sequence[Event], attempts: Sequence[Attempt]
    ) -> tuple[RunState, tuple[Event, ...]]:
        state, now = run.state, run.clock()
        stamped = tuple(
            draft.model_copy(update={"run_id": run_id, "seq": seq, "ts": now})
            for seq, draft in enumerate(drafts, state.seq + 1)
        )
        for attempt in attempts:
            if attempt.run_id != run_id:
                raise IllegalTransition(f"attempt {attempt.attempt_id} belongs to run {attempt.run_id}, not {run_id}")
        return advance(state, stamped, attempts), stamped

    def _accept(self, run_id: str, entry: Entry) -> None:
        run = entry.run
        run.state, run.meta = entry.after
        run.lines.extend(entry.lines)
        run.pending += 1
        if entry.key is not None:
            run.puts[entry.key] = entry.seqs
        if run.meta.request_key is not None:
            self._request_keys[run.meta.request_key] = (run_id, run.meta.request_hash)
        self._begun = max(self._begun, run.ordinal)
        self._newest = max(self._newest, run_id)
        self._waiting += entry.size_bytes
        self._finished.pop(run_id, None)
        self._live[run_id] = run
        if run.state.complete:
            self._open.pop(run_id, None)
        else:
            self._open[run_id] = None

    def _retire(self, run_id: str, run: SequencedRun) -> None:
        """Keep only the latest finished runs in memory."""
        self._live.pop(run_id, None)
        self._finished[run_id] = run
        while len(self._finished) > self._finished_kept:
            self._finished.popitem(last=False)
