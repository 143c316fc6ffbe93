"""The port both journals implement: DuckDB on disk, and its memory twin."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from ai3ray.domain.call import Attempt
from ai3ray.domain.events import Event
from ai3ray.domain.frozen import Frozen
from ai3ray.domain.listings import PruneReport, RunRow, Table
from ai3ray.domain.run import RunState


class RunMeta(Frozen):
    """What the journal keeps of a run beside its history."""

    owner: str = ""
    """Name of the API key that sent it; empty on a laptop."""
    request_key: str | None = None
    """The caller's Idempotency-Key; unique in the journal, so it has to carry the owner's name."""
    request_hash: str | None = None
    """Hash of the body that came with the key."""
    epoch: int = 1
    """Counts the owners that have driven the run; a resumed run has a higher one."""


class Receipt(Protocol):
    """Entries that have their place in the journal's queue."""

    @property
    def events(self) -> tuple[Event, ...]:
        """The events as stamped with run id, seq and time."""
        ...

    async def committed(self) -> None:
        """Return once they are on disk; raises JournalError when they will never be."""
        ...


class Journal(Protocol):
    """Append-only history of all runs, with live state on top."""

    def put(
        self,
        run_id: str,
        events: Sequence[Event] = (),
        attempts: Sequence[Attempt] = (),
        *,
        key: str | None = None,
        meta: RunMeta | None = None,
    ) -> Receipt:
        """Give entries their place in the queue, and fold them into the run's live state.

        Either all of them are taken or none. Commits keep this order, so nothing is ever durable
        without what came before it.

        Args:
            run_id: the run; a `run_start` event opens a new one.
            events: drafts; run id, seq and time are stamped here.
            attempts: model calls that began or ended.
            key: the writer's own; the same key a second time changes nothing and returns the first
                receipt's events.
            meta: replaces what is kept beside the run's history: given with `run_start`, and again
                by whoever takes the run over under a new epoch.

        Raises:
            IllegalTransition: the run's state does not take one of the events; nothing was changed.
            UnknownRun: no such run.
            KeyReused: `meta.request_key` already stands for another run; nothing was changed.
            JournalError: the journal is closed or cannot write for good; or its disk takes nothing at the
                moment, and this would begin a new run.
        """
        ...

    def state(self, run_id: str) -> RunState:
        """The live state, sequenced entries included. Raises UnknownRun."""
        ...

    async def committed_state(self, run_id: str) -> RunState:
        """The state as far as it is committed: what may be told to others. Raises UnknownRun."""
        ...

    def now(self, run_id: str) -> str:
        """The time by the run's own clock, which stamps its events: no jump of the wall clock disturbs it.

        Raises:
            UnknownRun: no such run.
        """
        ...

    def meta(self, run_id: str) -> RunMeta:
        """What is kept beside the run's history. Raises UnknownRun."""
        ...

    def find_by_key(self, request_key: str) -> tuple[str, str | None] | None:
        """Run id and body hash of the run that came with this Idempotency-Key, sequenced ones included."""
        ...

    async def tail(self, run_id: str, after: int) -> Sequence[str]:
        """The committed events after `after`, as lines of JSON, waiting until there is one.

        Empty only when the run's last event, `stats`, is not after `after`.

        Raises:
            UnknownRun: no such run.
            JournalError: the journal was closed or cannot write: what is awaited will never come.
        """
        ...

    async def runs(self, limit: int = 50, before: str | None = None, *, owner: str | None = None) -> Sequence[RunRow]:
        """Runs, newest first; `before` is the run id the page starts after, `owner` whose runs are wanted."""
        ...

    def open_runs(self) -> Sequence[str]:
        """Ids of runs whose last event is not in, oldest first."""
        ...

    async def prune(self, older_than_s: float, *, dry_run: bool = False) -> PruneReport:
        """Delete the runs that ended longer ago than this with all that is kept of them; never an unfinished one.

        Args:
            older_than_s: seconds since a run's terminal event.
            dry_run: only count.

        Raises:
            JournalError: the journal is closed or cannot write.
        """
        ...

    async def aclose(self) -> None:
        """Commit what is queued and release the file."""
        ...


class JournalListener(Protocol):
    """Follows the journal, on its event loop; must not raise."""

    def entries(self, run_id: str, events: Sequence[Event], attempts: Sequence[Attempt]) -> None:
        """Take note of new entries, as they were stamped."""
        ...

    def committed(self, run_ids: Collection[str]) -> None:
        """Take note that entries of these runs are on disk, by one commit."""
        ...


class SqlSource(Protocol):
    """Read-only SQL over the journal's tables."""

    async def query(self, sql: str, *, max_rows: int = 10_000, timeout_s: float = 10.0) -> Table:
        """Run one SELECT. Raises RequestError for anything else and for SQL errors."""
        ...
