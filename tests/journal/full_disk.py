"""A disk that takes nothing for a while: the system itself refuses to let the journal's log grow."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ai3ray.journal.store import DuckDBJournal
from tests.journal.histories import whole_run


async def fill_log(journal: DuckDBJournal, name: str = "earlier") -> None:
    """Give the log some size, so that a limit on it leaves room for this process's other small files."""
    for number in range(5):
        for step in whole_run(f"{name}{number}"):
            receipt = journal.put(f"{name}{number}", step.events, step.attempts)
    await receipt.committed()


def log_of(path: Path) -> Path:
    """The write-ahead log of a journal."""
    return path.with_name(f"{path.name}.wal")


@contextmanager
def full_disk(path: Path) -> Iterator[None]:
    """No file of this process grows beyond this one's size; Python ignores the signal that comes with it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
