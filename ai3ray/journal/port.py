"""The journal's ports, implemented on disk and in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from ai3ray.domain.call import Attempt
from ai3ray.domain.events import Event
from ai3ray.domain.frozen import Frozen
from ai3ray.domain.listings import PruneReport, RunRow, Table
from ai3ray.domain.run import RunState


class RunMeta(Frozen):
    """Data of a run beside its history."""

    owner: str = ""
    """Name of the API key that sent the run; empty on a laptop."""
    request_key: str | None = None
    """Idempotency-Key with the owner's name; unique in the journal."""
    request_hash: str | None = None
    """Hash of the request body."""
    epoch: int = 1
    """Number of processes that have driven the run; a resume adds one."""


class Receipt(Protocol):
    """The receipt of entries in the journal's queue."""

    @property
    def events(self) -> tuple[Event, ...]:
        """The events with run id, seq and time."""
        ...

    async def committed(self) -> None:
        """Return once they are on disk. Raises JournalError when they will never be."""
        ...


class Journal(Protocol):
    """An append-only history of all runs, with their live state."""

    def put(
        self,
        run_id: str,
        events: Sequence[Event] = (),
        attempts: Sequence[Attempt] = (),
        *,
        key: str | None = None,
        meta: RunMeta | None = None,
    ) -> Receipt:
        """Queue entries and fold them into the run's live state, all or none.

        Commits keep this order, so nothing is ever durable without what came before it.

        Args:
            run_id: the run; a `run_start` event begins a new one.
            events: drafts without run id, seq and time.
            attempts: model calls that began or ended.
            key: the writer's own; the same key a second time changes nothing and returns the first events.
            meta: replaces the run's meta data; given with `run_start`, and again under a new epoch.

        Raises:
            IllegalTransition: the run's state allows no such event.
            UnknownRun: there is no such run.
            KeyReused: `meta.request_key` belongs to another run.
            JournalError: the journal is closed or failed; or its disk refuses writes, and this is a new run.
        """
        ...

    def state(self, run_id: str) -> RunState:
        """Return the live state, queued entries included. Raises UnknownRun."""
        ...

    async def committed_state(self, run_id: str) -> RunState:
        """Return the committed state, which may be shown to others. Raises UnknownRun."""
        ...

    def now(self, run_id: str) -> str:
        """Return the time of the run's clock, which ignores jumps of the wall clock. Raises UnknownRun."""
        ...

    def meta(self, run_id: str) -> RunMeta:
        """Return the run's meta data. Raises UnknownRun."""
        ...

    def find_by_key(self, request_key: str) -> tuple[str, str | None] | None:
        """Return run id and body hash for this Idempotency-Key, queued entries included."""
        ...

    async def tail(self, run_id: str, after: int) -> Sequence[str]:
        """Wait for committed events after `after` and return them as lines of JSON.

        The result is empty only when the run's last event, `stats`, is not after `after`.

        Raises:
            UnknownRun: there is no such run.
            JournalError: the journal was closed or failed.
        """
        ...

    async def runs(self, limit: int = 50, before: str | None = None, *, owner: str | None = None) -> Sequence[RunRow]:
        """List runs, newest first: those after the run `before`, and of `owner` alone when given."""
        ...

    def open_runs(self) -> Sequence[str]:
        """Return the ids of incomplete runs, oldest first."""
        ...

    async def prune(self, older_than_s: float, *, dry_run: bool = False) -> PruneReport:
        """Delete the runs whose terminal event is older than this, with all their data.

        Raises:
            JournalError: the journal is closed or cannot be written.
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
