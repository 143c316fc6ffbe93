from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from ai3ray.settings.load import load_settings
from ai3ray.settings.model import Settings


@pytest.fixture
def cwd(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def load(cwd: Path, home: Path) -> Callable[..., Settings]:
    """Load with an environment of nothing but AI3_HOME and what is given."""

    def load(env: Mapping[str, str] | None = None, **others: object) -> Settings:
        return load_settings(env={"AI3_HOME": str(home), **(env or {})}, cwd=cwd, **others)

    return load
