"""What every journal does in memory: give entries their place, fold them into live state, wake readers."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from ai3ray.domain.call import Attempt
from ai3ray.domain.events import Event, parse_event, utc_now
from ai3ray.domain.run import RunState, apply, record_attempt
from ai3ray.errors import IllegalTransition, JournalError, KeyReused, UnknownRun
from ai3ray.journal.port import RunMeta

FINISHED_KEPT = 8


class Snapshot(NamedTuple):
    """A run at one moment of its history."""

    state: RunState
    meta: RunMeta


class Span(NamedTuple):
    """The events of one put: from `first` to `last` inclusive; `last` is `first - 1` when it had none."""

    first: int
    last: int


@dataclass(slots=True)
class RunRecord:
    """One run in memory: all that was sequenced, and how much of it is on disk."""

    state: RunState = field(default_factory=RunState)
    meta: RunMeta = field(default_factory=RunMeta)
    lines: list[str] = field(default_factory=list)
    puts: dict[str, Span] = field(default_factory=dict)
    committed: int = 0
    """Events on disk."""
    pending: int = 0
    """Entries that are not on disk."""
    news: asyncio.Event = field(default_factory=asyncio.Event)
    """Set, and replaced, when `committed` grows or never will again."""

    def wake(self) -> None:
        """Let every waiting reader look again."""
        self.news.set()
        self.news = asyncio.Event()


@dataclass(frozen=True, slots=True)
class Entry:
    """What one put added to a run."""

    record: RunRecord
    before: Snapshot
    after: Snapshot
    events: tuple[Event, ...]
    lines: tuple[str, ...]
    span: Span
    key: str | None


class Barrier:
    """Falls when a batch is on disk, or never will be."""

    def __init__(self) -> None:
        self._done = asyncio.Event()
        self._error: str | None = None

    def fall(self, error: str | None = None) -> None:
        """Release everybody, with JournalError when there is an error."""
        self._error = error
        self._done.set()

    async def committed(self) -> None:
        """Wait for it; raises JournalError."""
        await self._done.wait()
        if self._error:
            raise JournalError(self._error)


@dataclass(frozen=True, slots=True)
class Queued:
    """The receipt of one put."""

    events: tuple[Event, ...]
    barrier: Barrier

    async def committed(self) -> None:
        """Return once they are on disk; raises JournalError when they will never be."""
        await self.barrier.committed()


class Stored(Protocol):
    """Where runs are that are not in memory."""

    def load(self, run_id: str) -> RunRecord | None:
        """The whole run; None when there is no such run."""
        ...

    def lines(self, run_id: str, after: int) -> Sequence[str] | None:
        """The run's event lines after `after`; None when there is no such run."""
        ...


class Sequencer:
    """Live runs.

    Args:
        stored: where runs are that are not in memory.
        clock: gives the events' time stamps.
        open_runs: ids of stored runs that are not complete, oldest first.
        request_keys: run id and body hash of stored runs by Idempotency-Key.
        finished_kept: how many finished runs stay in memory.
    """

    def __init__(
        self,
        stored: Stored,
        *,
        clock: Callable[[], str] = utc_now,
        open_runs: Iterable[str] = (),
        request_keys: Mapping[str, tuple[str, str | None]] | None = None,
        finished_kept: int = FINISHED_KEPT,
    ) -> None:
        self._stored = stored
        self._clock = clock
        self._open = dict.fromkeys(open_runs)
        self._request_keys = dict(request_keys or {})
        self._finished_kept = finished_kept
        self._live: dict[str, RunRecord] = {}
        self._finished: OrderedDict[str, RunRecord] = OrderedDict()
        self._hidden: set[str] = set()
        self._refusal: str | None = None
        self._stopped: str | None = None

    def put(
        self,
        run_id: str,
        events: Sequence[Event],
        attempts: Sequence[Attempt],
        key: str | None,
        meta: RunMeta | None,
    ) -> tuple[tuple[Event, ...], Entry | None]:
        """The stamped events, and what is to be committed: None when the key was there before.

        Raises:
            IllegalTransition, UnknownRun, KeyReused, JournalError: as `Journal.put`.
        """
        if self._refusal:
            raise JournalError(self._refusal)
        record = self._find(run_id)
        if record is not None and key is not None and key in record.puts:
            return _events_of(record, record.puts[key]), None
        if record is None and not (events and events[0].type == "run_start"):
            raise UnknownRun(f"there is no run {run_id!r}")
        self._check_request_key(run_id, meta)
        record = record or RunRecord()
        state, stamped = self._fold(run_id, record.state, events, attempts)
        lines = tuple(event.line() for event in stamped)
        # Nothing was changed up to here, and nothing can fail from here on.
        return stamped, self._take(run_id, record, Snapshot(state, meta or record.meta), stamped, lines, key)

    def state(self, run_id: str) -> RunState:
        """The live state; raises UnknownRun."""
        return self._record(run_id).state

    def meta(self, run_id: str) -> RunMeta:
        """What is kept beside the run's history; raises UnknownRun."""
        return self._record(run_id).meta

    def find_by_key(self, request_key: str) -> tuple[str, str | None] | None:
        """Run id and body hash of the run that came with this Idempotency-Key."""
        known = self._request_keys.get(request_key)
        return None if known is None or known[0] in self._hidden else known

    def open_runs(self) -> tuple[str, ...]:
        """Ids of runs whose last event is not sequenced, oldest first."""
        return tuple(self._open)

    def runs(self) -> tuple[RunRecord, ...]:
        """Every run in memory, in no order."""
        return (*self._live.values(), *self._finished.values())

    async def tail(self, run_id: str, after: int) -> Sequence[str]:
        """The committed lines after `after`, as `Journal.tail`."""
        after = max(after, 0)
        while run_id in self._open or run_id in self._live or run_id in self._finished:
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
            record.pending -= 1
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

    def refuse(self, reason: str) -> None:
        """Take no more entries."""
        self._refusal = self._refusal or reason

    def stop(self, reason: str) -> None:
        """Nothing more will be committed: take no entries, and tell readers that wait for some."""
        self.refuse(reason)
        self._stopped = self._refusal
        for record in self._live.values():
            record.wake()

    def _record(self, run_id: str) -> RunRecord:
        record = self._find(run_id)
        if record is None:
            raise UnknownRun(f"there is no run {run_id!r}")
        return record

    def _find(self, run_id: str) -> RunRecord | None:
        if run_id in self._hidden:
            return None
        record = self._live.get(run_id) or self._finished.get(run_id)
        if record is None:
            record = self._stored.load(run_id)
            if record is not None and record.state.complete:
                self._retire(run_id, record)
            elif record is not None:
                self._live[run_id] = record
        return record

    def _check_request_key(self, run_id: str, meta: RunMeta | None) -> None:
        known = self.find_by_key(meta.request_key) if meta and meta.request_key is not None else None
        if known is not None and known[0] != run_id:
            raise KeyReused("this Idempotency-Key already stands for another run")

    def _fold(
        self, run_id: str, state: RunState, drafts: Sequence[Event], attempts: Sequence[Attempt]
    ) -> tuple[RunState, tuple[Event, ...]]:
        now = self._clock()
        stamped = []
        for draft in drafts:
            event = draft.model_copy(update={"run_id": run_id, "seq": state.seq + 1, "ts": now})
            state = apply(state, event)
            stamped.append(event)
        for attempt in attempts:
            if attempt.run_id != run_id:
                raise IllegalTransition(f"attempt {attempt.attempt_id} is of run {attempt.run_id}, not of {run_id}")
            state = record_attempt(state, attempt)
        return state, tuple(stamped)

    def _take(
        self,
        run_id: str,
        record: RunRecord,
        after: Snapshot,
        events: tuple[Event, ...],
        lines: tuple[str, ...],
        key: str | None,
    ) -> Entry:
        span = Span(record.state.seq + 1, after.state.seq)
        entry = Entry(record, Snapshot(record.state, record.meta), after, events, lines, span, key)
        record.state, record.meta = after
        record.lines.extend(lines)
        record.pending += 1
        if key is not None:
            record.puts[key] = entry.span
        if record.meta.request_key is not None:
            self._request_keys[record.meta.request_key] = (run_id, record.meta.request_hash)
        self._finished.pop(run_id, None)
        self._live[run_id] = record
        if record.state.complete:
            self._open.pop(run_id, None)
        else:
            self._open[run_id] = None
        return entry

    def _retire(self, run_id: str, record: RunRecord) -> None:
        """A finished run that is on disk needs no memory; the latest few keep theirs for quick answers."""
        self._live.pop(run_id, None)
        self._finished[run_id] = record
        while len(self._finished) > self._finished_kept:
            self._finished.popitem(last=False)


def _events_of(record: RunRecord, span: Span) -> tuple[Event, ...]:
    return tuple(parse_event(line) for line in record.lines[span.first - 1 : span.last])
