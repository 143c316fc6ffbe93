from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from ai3ray.registry.registry import Registry
from ai3ray.settings.load import load_settings
from ai3ray.settings.model import Settings

TODAY = date(2026, 11, 22)


@pytest.fixture
def load_with(tmp_path: Path) -> Callable[..., Settings]:
    """Settings with a models.toml and an ai3.toml of the user's own."""

    def load_with(models: str = "", ai3: str = "", **env: str) -> Settings:
        (tmp_path / "models.toml").write_text(models)
        (tmp_path / "ai3.toml").write_text(ai3)
        return load_settings(env={"AI3_HOME": str(tmp_path / "home"), **env}, cwd=tmp_path)

    return load_with


@pytest.fixture
def registry(load_with: Callable[..., Settings]) -> Registry:
    return Registry.load(load_with(), today=lambda: TODAY)
