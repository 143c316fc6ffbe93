"""The views that every journal and every copy of it has."""

from __future__ import annotations

from pathlib import Path


def views() -> str:
    """The telemetry views; they hold no data and are created anew whenever they have changed."""
    return Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
