"""The port of the sinks that follow what the engine does: log lines, metrics, traces."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from ai3ray.domain.call import Attempt
from ai3ray.domain.lease import Lease, LeaseRequest, Refusal
from ai3ray.domain.run import TaskStatus


class Observer(Protocol):
    """Follows tasks, attempts, leases and commits.

    Every method is called on the core's event loop and has to return at once. No argument but a Refusal's message
    holds text of prompts, answers or providers; pass that message on to nobody.
    """

    def task_changed(self, run_id: str, task_id: str, status: TaskStatus) -> None:
        """Take note that a task began (again) or ended. The tasks of a cancelled run end without a call."""
        ...

    def attempt_changed(self, attempt: Attempt) -> None:
        """Take note that a model call began, or how it ended."""
        ...

    def lease_answered(self, request: LeaseRequest, answer: Lease | Refusal) -> None:
        """Take note that a lease request was granted or refused."""
        ...

    def committed(self, run_ids: Collection[str]) -> None:
        """Take note that entries of these runs are on disk, by one commit."""
        ...
