"""Log lines: `logging.getLogger("ai3ray.telemetry").setLevel(logging.DEBUG)` before the engine starts."""

from __future__ import annotations

import logging
from collections.abc import Collection

from ai3ray.domain.call import Attempt
from ai3ray.domain.lease import Lease, LeaseRequest, Refusal
from ai3ray.domain.run import TaskStatus

log = logging.getLogger(__name__)


class LogLines:
    """Writes one DEBUG line per notice: ids, names and figures, never text."""

    def task_changed(self, run_id: str, task_id: str, status: TaskStatus) -> None:
        """Log a task."""
        log.debug("%s task %s %s", run_id, task_id, status)

    def attempt_changed(self, attempt: Attempt) -> None:
        """Log a model call."""
        log.debug(
            "%s attempt %s %s task=%s role=%s model=%s seconds=%s tokens=%d+%d usd=%s error=%s",
            attempt.run_id,
            attempt.attempt_id,
            attempt.status,
            attempt.task_id,
            attempt.role,
            attempt.model,
            attempt.seconds,
            attempt.input_tokens,
            attempt.output_tokens,
            attempt.cost_usd,
            attempt.error_type,
        )

    def lease_answered(self, request: LeaseRequest, answer: Lease | Refusal) -> None:
        """Log a lease or a refusal's type: its message may quote a provider."""
        if isinstance(answer, Lease):
            attempt, model = answer.attempt_id, answer.model
            log.debug("%s lease granted task=%s attempt=%s model=%s", request.run_id, request.task_id, attempt, model)
        else:
            log.debug("%s lease refused task=%s error=%s", request.run_id, request.task_id, answer.error.type)

    def committed(self, run_ids: Collection[str]) -> None:
        """Log a commit."""
        log.debug("commit runs=%d", len(run_ids))


def create() -> LogLines | None:
    """Return the sink if its lines are logged."""
    return LogLines() if log.isEnabledFor(logging.DEBUG) else None
