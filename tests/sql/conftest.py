from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ai3ray.journal.memory import MemoryJournal
from ai3ray.journal.store import DuckDBJournal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a journal goes whose home does not exist yet."""
    return tmp_path / "home" / "journal.duckdb"


@pytest.fixture
async def disk(path: Path) -> AsyncIterator[DuckDBJournal]:
    """A journal on disk."""
    journal = await DuckDBJournal.open(path)
    yield journal
    await journal.aclose()


@pytest.fixture(params=["memory", "duckdb"])
async def journal(request: pytest.FixtureRequest, path: Path) -> AsyncIterator[MemoryJournal | DuckDBJournal]:
    """Each of the two journals in turn."""
    journal = MemoryJournal() if request.param == "memory" else await DuckDBJournal.open(path)
    yield journal
    await journal.aclose()
