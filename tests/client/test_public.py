"""What `import ai3ray` gives, and what it does not load."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import ai3ray

HEAVY = ("ray", "duckdb", "anthropic", "openai", "httpx", "starlette", "uvicorn", "pydantic")


def loaded_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*[name for name in {HEAVY} if name in sys.modules])"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_importing_ai3ray_loads_nothing_heavy():
    assert loaded_after("import ai3ray") == set()


def test_the_client_s_modules_load_neither_engine_nor_http():
    statement = "import ai3ray.api, ai3ray.connect; ai3ray.run, ai3ray.Client, ai3ray.RunRequest"
    assert loaded_after(statement) == {"pydantic"}


def test_every_public_name_is_there_and_there_are_at_most_25():
    assert len(ai3ray.__all__) <= 25
    assert {"run", "arun", "stream", "plan", "Client", "RunRequest", "RunResult", "TaskGraph"} <= set(ai3ray.__all__)
    assert all(getattr(ai3ray, name) for name in ai3ray.__all__)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = ai3ray.nonsense


def test_the_version_is_the_package_s():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert ai3ray.__version__ == project["project"]["version"]
