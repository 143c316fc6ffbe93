"""The progress of a run in the line beside the spinner."""

from __future__ import annotations

from ai3ray.domain.events import (
    AssembleStart,
    Event,
    PlanProgress,
    RunStart,
    TaskArtifact,
    TaskFailed,
    TaskSkipped,
    TaskStart,
)
from ai3ray.report.format import clipped, count, one_line


class StatusLine:
    """Turns events into the line beside the spinner."""

    def __init__(self) -> None:
        self._total = 0
        self._ended = 0
        self._running: dict[str, str] = {}

    def after(self, event: Event) -> str:
        """Return the line after one more event."""
        match event:
            case PlanProgress(phase="completed"):
                self._total = len((event.plan or {}).get("tasks", ()))
            case TaskStart():
                self._running[event.task_id or ""] = event.model
            case TaskArtifact() | TaskFailed() | TaskSkipped():
                self._ended += 1
                self._running.pop(event.task_id or "", None)
            case AssembleStart():
                return "assembling the answer"
            case RunStart():
                return "accepted"
        if not self._total:
            return "planning"
        names = clipped(", ".join(f"{task} on {model}" for task, model in self._running.items()), 60)
        return one_line(f"{self._ended} of {count(self._total, 'task')} done{': ' if names else ''}{names}")
