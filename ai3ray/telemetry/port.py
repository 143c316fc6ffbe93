"""The port of sinks: log lines, metrics, traces."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from ai3ray.domain.call import Attempt
from ai3ray.domain.lease import Lease, LeaseRequest, Refusal
from ai3ray.domain.run import TaskStatus


class Observer(Protocol):
    """Follows tasks, attempts, leases and commits.

    Methods run on the core's event loop and have to return at once. No argument holds text of prompts, answers or
    providers, except a Refusal's message; do not pass it on.
    """

    def task_changed(self, run_id: str, task_id: str, status: TaskStatus) -> None:
        """Note that a task began (again) or ended; a cancelled run's tasks end without a call."""
        ...

    def attempt_changed(self, attempt: Attempt) -> None:
        """Note that a model call began or ended."""
        ...

    def lease_answered(self, request: LeaseRequest, answer: Lease | Refusal) -> None:
        """Note that a lease request was granted or refused."""
        ...

    def committed(self, run_ids: Collection[str]) -> None:
        """Note that these runs' entries are on disk."""
        ...
