"""The line that stands for a missing output."""

from __future__ import annotations

from collections.abc import Mapping

from ai3ray.domain.plan import Task

MAX_REASON = 200
"""Characters."""


def hole(task: Task, holes: Mapping[str, str]) -> str:
    """Return a line that names the missing output: a quotation in Markdown, plain in a terminal."""
    reason = " ".join(holes.get(task.id, "").split()) or "no output"
    shown = reason if len(reason) <= MAX_REASON else f"{reason[: MAX_REASON - 1]}…"
    return f"> [missing: {' '.join(task.title.split()) or task.id} ({task.id}): {shown}]"
