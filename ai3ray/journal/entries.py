"""Entries between their sequencing and their commit."""

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
    """A run at one moment."""

    state: RunState
    meta: RunMeta


class SeqRange(NamedTuple):
    """The events of one put, `first` to `last` inclusive; without events, `last` is `first - 1`."""

    first: int
    last: int


@dataclass(slots=True)
class SequencedRun:
    """One run in memory: all that was sequenced, and how much of it is committed."""

    clock: RunClock
    state: RunState = field(default_factory=RunState)
    meta: RunMeta = field(default_factory=RunMeta)
    lines: list[str] = field(default_factory=list)
    puts: dict[str, SeqRange] = field(default_factory=dict)
    ordinal: int = 0
    """Number of the run in this process; it orders a memory journal."""
    committed_state: RunState | None = None
    """The state on disk; None while nothing is."""
    committed: int = 0
    """Events on disk."""
    pending: int = 0
    """Entries not on disk."""
    refused: str | None = None
    """Reason why the run was refused after all; nothing of it will be on disk."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set and replaced when `committed` grows, or never will again."""

    def wake(self) -> None:
        """Wake every waiting reader."""
        self.changed.set()
        self.changed = asyncio.Event()


@dataclass(frozen=True, slots=True)
class Entry:
    """The additions of one put to a run."""

    run: SequencedRun
    before: Snapshot
    after: Snapshot
    events: tuple[Event, ...]
    attempts: tuple[Attempt, ...]
    lines: tuple[str, ...]
    seqs: SeqRange
    key: str | None
    size_bytes: int
    """Rough size in memory."""


class BatchOutcome:
    """The outcome of one batch, shared by all its entries."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()
        self.finished = False
        self.error: str | None = None

    def finish(self, error: str | None = None) -> None:
        """Wake all waiters for good; with an error, nothing of the batch will be on disk."""
        self.error = error
        self.finished = True
        self.notify()

    def notify(self) -> None:
        """Wake all waiters, which check whether to wait on."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait(self) -> None:
        """Return at the next `notify` or `finish`."""
        await self._changed.wait()


@dataclass(frozen=True, slots=True)
class PutReceipt:
    """The receipt of one put: its events, and their commit."""

    events: tuple[Event, ...]
    outcome: BatchOutcome
    run: SequencedRun

    async def committed(self) -> None:
        """Return once the events are on disk. Raises JournalError when they will never be."""
        while not self.outcome.finished and not self.run.refused:
            await self.outcome.wait()
        if error := self.run.refused or self.outcome.error:
            raise JournalError(error)
