"""The place of `cli` and `deployments`: the top of a checkout, or inside `ai3ray` in a wheel.

In a wheel those plain names would clash with other packages; in a checkout `python -m cli` and
`serve run deployments.serve:app` need them.
"""

from __future__ import annotations

from pathlib import Path

IN_WHEEL = (Path(__file__).parent / "cli").is_dir()
"""True when this package was installed from a wheel."""


def module_name(name: str) -> str:
    """Return the full name of a module such as `deployments.head`, for `python -m`."""
    return f"ai3ray.{name}" if IN_WHEEL else name


def source_root() -> Path:
    """Return the folder that the import path needs for all of ai3ray."""
    return Path(__file__).parent.parent
