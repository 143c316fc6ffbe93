from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose sockets have short names; pytest's own is too long for some systems."""
    with tempfile.TemporaryDirectory(prefix="ai3t-", dir="/tmp") as folder:
        yield Path(folder)
