"""The files that ship with ai3ray: `configs/` beside the package in a checkout, inside it in a wheel."""

from __future__ import annotations

from functools import cache
from pathlib import Path


def configs_dir() -> Path:
    """The folder of packaged configuration and prompts."""
    here = Path(__file__).parent
    inside = here / "configs"
    return inside if inside.is_dir() else here.parent / "configs"


@cache
def prompt_text(name: str) -> str:
    """The prompt of `configs/prompts/NAME.md`, without the surrounding blank lines."""
    return (configs_dir() / "prompts" / f"{name}.md").read_text(encoding="utf-8").strip()
