"""What the journal holds of its entries while they are on their way to the disk."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import NamedTuple

from ai3ray.domain.call import Attempt
from ai3ray.domain.events import Event
from ai3ray.domain.run import RunState
from ai3ray.errors import JournalError
from ai3ray.journal.port import RunMeta
from ai3ray.journal.run_clock import RunClock


class Snapshot(NamedTuple):
    """A run at one moment of its history."""

    state: RunState
    meta: RunMeta


class SeqRange(NamedTuple):
    """The events of one put: from `first` to `last` inclusive; `last` is `first - 1` when it had none."""

    first: int
    last: int


@dataclass(slots=True)
class SequencedRun:
    """One run in memory: all that was sequenced, and how much of it is on disk."""

    clock: RunClock
    """What its events are stamped by."""
    state: RunState = field(default_factory=RunState)
    meta: RunMeta = field(default_factory=RunMeta)
    lines: list[str] = field(default_factory=list)
    puts: dict[str, SeqRange] = field(default_factory=dict)
    ordinal: int = 0
    """Counts the runs begun in this process: the order of a journal that is in memory alone."""
    committed_state: RunState | None = None
    """The state as it is on disk; None while nothing is."""
    committed: int = 0
    """Events on disk."""
    pending: int = 0
    """Entries that are not on disk."""
    refused: str | None = None
    """Why the run was not accepted after all: nothing of it will ever be on disk."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set, and replaced, when `committed` grows or never will again."""

    def wake(self) -> None:
        """Let every waiting reader look again."""
        self.changed.set()
        self.changed = asyncio.Event()


@dataclass(frozen=True, slots=True)
class Entry:
    """What one put added to a run."""

    run: SequencedRun
    before: Snapshot
    after: Snapshot
    events: tuple[Event, ...]
    attempts: tuple[Attempt, ...]
    lines: tuple[str, ...]
    seqs: SeqRange
    key: str | None
    size_bytes: int
    """Bytes of memory it takes while it waits, roughly."""


class BatchOutcome:
    """Falls when a batch is on disk, or never will be."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()
        self.finished = False
        self.error: str | None = None

    def finish(self, error: str | None = None) -> None:
        """Release everybody, with JournalError when there is an error."""
        self.error = error
        self.finished = True
        self.notify()

    def notify(self) -> None:
        """Let everybody look whether they still wait."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait(self) -> None:
        """Return when it falls or is stirred."""
        await self._changed.wait()


@dataclass(frozen=True, slots=True)
class PutReceipt:
    """The receipt of one put."""

    events: tuple[Event, ...]
    outcome: BatchOutcome
    run: SequencedRun

    async def committed(self) -> None:
        """Return once they are on disk; raises JournalError when they will never be."""
        while not self.outcome.finished and not self.run.refused:
            await self.outcome.wait()
        if error := self.run.refused or self.outcome.error:
            raise JournalError(error)
