"""Find `configs/`, beside the package in a checkout, inside it in a wheel."""

from __future__ import annotations

from pathlib import Path


def configs_dir() -> Path:
    """Return the folder of packaged configuration and prompts."""
    here = Path(__file__).parent.parent
    inside = here / "configs"
    return inside if inside.is_dir() else here.parent / "configs"
