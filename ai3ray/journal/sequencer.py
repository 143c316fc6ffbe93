"""What every journal does in memory: give entries their place, fold them into live state, wake readers."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from ai3ray.domain.call import Attempt
from ai3ray.domain.events import Event, parse_event
from ai3ray.domain.run import RunState, advance
from ai3ray.errors import IllegalTransition, JournalError, KeyReused, UnknownRun
from ai3ray.journal.entries import Entry, SequencedRun, Snapshot, Span
from ai3ray.journal.port import RunMeta
from ai3ray.journal.run_clock import RunClock, RunClocks

FINISHED_KEPT = 8
WAITING_BYTES = 64 << 20
"""Entries that may wait in memory while the disk takes none."""
_ATTEMPT_BYTES = 1000


class Stored(Protocol):
    """Where runs are that are not in memory."""

    def load(self, run_id: str) -> SequencedRun | None:
        """The whole run; None when there is no such run."""
        ...

    def lines(self, run_id: str, after: int) -> Sequence[str] | None:
        """The run's event lines after `after`; None when there is no such run."""
        ...


class Sequencer:
    """Live runs.

    Args:
        stored: where runs are that are not in memory.
        clocks: makes the clocks that events are stamped by.
        open_runs: ids of stored runs that are not complete, oldest first.
        request_keys: run id and body hash of stored runs by Idempotency-Key.
        newest: the highest id of a stored run. Ids grow with time, so most new ones need not be looked for.
        finished_kept: how many finished runs stay in memory.
    """

    def __init__(
        self,
        stored: Stored,
        *,
        clocks: RunClocks = RunClock,
        open_runs: Iterable[str] = (),
        request_keys: Mapping[str, tuple[str, str | None]] | None = None,
        newest: str = "",
        finished_kept: int = FINISHED_KEPT,
    ) -> None:
        self._stored = stored
        self._clocks = clocks
        self._open = dict.fromkeys(open_runs)
        self._request_keys = dict(request_keys or {})
        self._newest = newest
        self._finished_kept = finished_kept
        self._live: dict[str, SequencedRun] = {}
        self._finished: OrderedDict[str, SequencedRun] = OrderedDict()
        self._hidden: set[str] = set()
        self._begun = 0
        self._waiting = 0
        self._held: str | None = None
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
        """The stamped events, their run, and what is to be committed: None when the key was there before.

        Raises:
            IllegalTransition, UnknownRun, KeyReused, JournalError: as `Journal.put`.
        """
        if self._refusal:
            raise JournalError(self._refusal)
        record = self._find(run_id)
        if record is not None and key is not None and key in record.puts:
            return _events_of(record, record.puts[key]), record, None
        if record is None and not (events and events[0].type == "run_start"):
            raise UnknownRun(f"there is no run {run_id!r}")
        self._check_request_key(run_id, meta)
        self._check_room(record)
        record = record or SequencedRun(self._clocks(), place=self._begun + 1)
        state, stamped = self._fold(run_id, record, events, attempts)
        lines = tuple(event.line() for event in stamped)
        entry = Entry(
            record=record,
            before=Snapshot(record.state, record.meta),
            after=Snapshot(state, meta or record.meta),
            events=stamped,
            attempts=tuple(attempts),
            lines=lines,
            span=Span(record.state.seq + 1, state.seq),
            key=key,
            weight=sum(map(len, lines)) + _ATTEMPT_BYTES * len(attempts),
        )
        # Nothing was changed up to here, and nothing can fail from here on.
        self._take(run_id, entry)
        return stamped, record, entry

    def state(self, run_id: str) -> RunState:
        """The live state; raises UnknownRun."""
        return self._record(run_id).state

    async def shown(self, run_id: str) -> RunState:
        """The state as far as it is on disk; raises UnknownRun, also when nothing of the run is."""
        await self._recall(run_id)
        shown = self._record(run_id).shown
        if shown is None:
            raise UnknownRun(f"there is no run {run_id!r}")
        return shown

    def meta(self, run_id: str) -> RunMeta:
        """What is kept beside the run's history; raises UnknownRun."""
        return self._record(run_id).meta

    def now(self, run_id: str) -> str:
        """The time by the run's own clock; raises UnknownRun."""
        return self._record(run_id).clock()

    def find_by_key(self, request_key: str) -> tuple[str, str | None] | None:
        """Run id and body hash of the run that came with this Idempotency-Key."""
        known = self._request_keys.get(request_key)
        return None if known is None or known[0] in self._hidden else known

    def open_runs(self) -> tuple[str, ...]:
        """Ids of runs whose last event is not sequenced, oldest first."""
        return tuple(self._open)

    def runs(self) -> tuple[SequencedRun, ...]:
        """Every run in memory, in no order."""
        return (*self._live.values(), *self._finished.values())

    async def tail(self, run_id: str, after: int) -> Sequence[str]:
        """The committed lines after `after`, as `Journal.tail`."""
        after = max(after, 0)
        while run_id in self._open or run_id in self._live or run_id in self._finished:
            await self._recall(run_id)
            record = self._record(run_id)
            if record.committed > after:
                return record.lines[after : record.committed]
            if record.state.complete and record.committed == record.state.seq:
                return ()
            if self._stopped:
                raise JournalError(self._stopped)
            await record.news.wait()
        lines = await asyncio.to_thread(self._stored.lines, run_id, after)
        if lines is None:
            raise UnknownRun(f"there is no run {run_id!r}")
        return lines

    def commit(self, entries: Iterable[Entry]) -> None:
        """Note that these entries, and all before them, are on disk; wake their readers."""
        touched = {}
        for entry in entries:
            record = entry.record
            record.committed = max(record.committed, entry.span.last)
            record.shown = entry.after.state
            record.pending -= 1
            self._waiting -= entry.weight
            touched[record.state.run_id] = record
        for run_id, record in touched.items():
            record.wake()
            if record.state.complete and not record.pending:
                self._retire(run_id, record)

    def hide(self, run_ids: Iterable[str]) -> frozenset[str]:
        """Those of these runs that have ended and have nothing on its way to the disk.

        From now on nobody finds them, so that nothing is added to a run while it is being deleted.
        """
        idle = frozenset(run_ids).difference(self._live, self._open, self._hidden)
        self._hidden |= idle
        return idle

    def reveal(self, run_ids: Iterable[str]) -> None:
        """They were not deleted after all."""
        self._hidden -= frozenset(run_ids)

    def forget(self, run_ids: Iterable[str]) -> None:
        """They are gone from the disk: drop what memory holds of them."""
        gone = frozenset(run_ids)
        for run_id in gone:
            self._finished.pop(run_id, None)
        self._request_keys = {key: known for key, known in self._request_keys.items() if known[0] not in gone}
        self._hidden -= gone

    def hold(self, reason: str) -> bool:
        """The disk takes nothing at the moment: accept no new runs. Gives whether that is news."""
        known, self._held = self._held, reason
        return known is None

    def admit(self) -> None:
        """The disk takes entries again."""
        self._held = None

    def expel(self, entries: Sequence[Entry], reason: str) -> list[Entry]:
        """Refuse the runs of which nothing is on disk; gives the entries of the others back.

        They were never acknowledged, so whoever sent them hears the reason at once.
        """
        for record in {id(entry.record): entry.record for entry in entries}.values():
            if record.shown is None and not record.refused:
                record.refused = reason
                self._live.pop(record.state.run_id)
                self._open.pop(record.state.run_id, None)
                self._request_keys.pop(record.meta.request_key or "", None)
                record.wake()
        self._waiting -= sum(entry.weight for entry in entries if entry.record.refused)
        return [entry for entry in entries if not entry.record.refused]

    def refuse(self, reason: str) -> None:
        """Take no more entries."""
        self._refusal = self._refusal or reason

    def stop(self, reason: str) -> None:
        """Nothing more will be committed: take no entries, and tell readers that wait for some."""
        self.refuse(reason)
        self._stopped = self._refusal
        for record in self._live.values():
            record.wake()

    def _record(self, run_id: str) -> SequencedRun:
        record = self._find(run_id)
        if record is None:
            raise UnknownRun(f"there is no run {run_id!r}")
        return record

    def _find(self, run_id: str) -> SequencedRun | None:
        if run_id in self._hidden:
            return None
        record = self._live.get(run_id) or self._finished.get(run_id)
        if record is None and run_id <= self._newest:
            record = self._stored.load(run_id)
            if record is not None:
                self._adopt(run_id, record)
        return record

    async def _recall(self, run_id: str) -> None:
        """Bring a run from disk into memory without holding up the loop; nothing when there is no such run."""
        in_memory = run_id in self._live or run_id in self._finished
        if not in_memory and run_id not in self._hidden and run_id <= self._newest:
            record = await asyncio.to_thread(self._stored.load, run_id)
            if record is not None and run_id not in self._hidden:
                self._adopt(run_id, record)

    def _adopt(self, run_id: str, record: SequencedRun) -> None:
        """Take in a run from disk, unless somebody was quicker."""
        if run_id in self._live or run_id in self._finished:
            return
        if record.state.complete:
            self._retire(run_id, record)
        else:
            self._live[run_id] = record

    def _check_request_key(self, run_id: str, meta: RunMeta | None) -> None:
        known = self.find_by_key(meta.request_key) if meta and meta.request_key is not None else None
        if known is not None and known[0] != run_id:
            raise KeyReused("this Idempotency-Key already stands for another run")

    def _check_room(self, record: SequencedRun | None) -> None:
        """While the disk takes nothing, a new run waits outside, and one under way goes on in memory, within bounds."""
        if self._held and (record is None or self._waiting > WAITING_BYTES):
            raise JournalError(self._held)

    def _fold(
        self, run_id: str, record: SequencedRun, drafts: Sequence[Event], attempts: Sequence[Attempt]
    ) -> tuple[RunState, tuple[Event, ...]]:
        state, now = record.state, record.clock()
        stamped = tuple(
            draft.model_copy(update={"run_id": run_id, "seq": seq, "ts": now})
            for seq, draft in enumerate(drafts, state.seq + 1)
        )
        for attempt in attempts:
            if attempt.run_id != run_id:
                raise IllegalTransition(f"attempt {attempt.attempt_id} is of run {attempt.run_id}, not of {run_id}")
        return advance(state, stamped, attempts), stamped

    def _take(self, run_id: str, entry: Entry) -> None:
        record = entry.record
        record.state, record.meta = entry.after
        record.lines.extend(entry.lines)
        record.pending += 1
        if entry.key is not None:
            record.puts[entry.key] = entry.span
        if record.meta.request_key is not None:
            self._request_keys[record.meta.request_key] = (run_id, record.meta.request_hash)
        self._begun = max(self._begun, record.place)
        self._newest = max(self._newest, run_id)
        self._waiting += entry.weight
        self._finished.pop(run_id, None)
        self._live[run_id] = record
        if record.state.complete:
            self._open.pop(run_id, None)
        else:
            self._open[run_id] = None

    def _retire(self, run_id: str, record: SequencedRun) -> None:
        """A finished run that is on disk needs no memory; the latest few keep theirs for quick answers."""
        self._live.pop(run_id, None)
        self._finished[run_id] = record
        while len(self._finished) > self._finished_kept:
            self._finished.popitem(last=False)


def _events_of(record: SequencedRun, span: Span) -> tuple[Event, ...]:
    return tuple(parse_event(line) for line in record.lines[span.first - 1 : span.last])
