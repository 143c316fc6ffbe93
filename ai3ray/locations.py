"""Finds `cli` and `deployments`, in a checkout or in a wheel."""

from __future__ import annotations

from pathlib import Path

# In a checkout `python -m cli` and `serve run deployments.serve:app` need the plain names; in a wheel these would
# clash with other packages, so they are inside `ai3ray`.
IN_WHEEL = (Path(__file__).parent / "cli").is_dir()


def module_name(name: str) -> str:
    """Return the full name of a module such as `deployments.head`, for `python -m`."""
    return f"ai3ray.{name}" if IN_WHEEL else name


def source_root() -> Path:
    """Return the folder that the import path needs for all of ai3ray."""
    return Path(__file__).parent.parent
