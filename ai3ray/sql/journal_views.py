"""The telemetry views of every journal and every copy of it."""

from __future__ import annotations

from pathlib import Path


def views() -> str:
    """Return the statements that create or replace the views."""
    return Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
