"""All active sinks as one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence

from ai3ray.domain.call import Attempt
from ai3ray.domain.events import Event
from ai3ray.domain.lease import Lease, LeaseRequest, Refusal
from ai3ray.domain.run import TaskStatus
from ai3ray.telemetry.port import Observer
from ai3ray.telemetry.sinks import log_lines

log = logging.getLogger(__name__)

SINKS: tuple[Callable[[], Observer | None], ...] = (log_lines.create,)
"""One factory per file in `sinks/`; None where its sink is inactive."""

_TASK_STATUS: dict[str, TaskStatus] = {
    "task_start": "running",
    "task_artifact": "succeeded",
    "task_failed": "failed",
    "task_skipped": "skipped",
}


def active_sinks() -> tuple[Observer, ...]:
    """Return this process's active sinks."""
    return tuple(sink for create in SINKS if (sink := create()) is not None)


class Observers:
    """All sinks as one; one that raises is logged and removed."""

    def __init__(self, sinks: Sequence[Observer] = ()) -> None:
        self._sinks = tuple(sinks)

    def entries(self, run_id: str, events: Sequence[Event], attempts: Sequence[Attempt]) -> None:
        """Report the tasks and attempts that a run's entries change."""
        if not self._sinks:
            return

        def report(sink: Observer) -> None:
            for attempt in attempts:
                sink.attempt_changed(attempt)
            for event in events:
                status = _TASK_STATUS.get(event.type)
                if status is not None and event.task_id is not None:
                    sink.task_changed(run_id, event.task_id, status)

        self._each(report)

    def lease_answered(self, request: LeaseRequest, answer: Lease | Refusal) -> None:
        """Report a lease request's answer."""
        if self._sinks:
            self._each(lambda sink: sink.lease_answered(request, answer))

    def committed(self, run_ids: Collection[str]) -> None:
        """Report a commit."""
        if self._sinks:
            self._each(lambda sink: sink.committed(run_ids))

    def _each(self, report: Callable[[Observer], None]) -> None:
        for sink in self._sinks:
            try:
                report(sink)
            except Exception:
                log.exception("%s is switched off: it raised", type(sink).__name__)
                self._sinks = tuple(other for other in self._sinks if other is not sink)
