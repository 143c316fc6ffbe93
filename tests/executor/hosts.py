"""What a conductor needs of a core, without one."""

from __future__ import annotations

import asyncio


class LoneHost:
    """A host of one run."""

    def __init__(self) -> None:
        self.lost: list[tuple[str, str | None]] = []

    def slot(self) -> asyncio.Semaphore:
        return asyncio.Semaphore(1)

    def runner_lost(self, run_id: str, task_id: str | None) -> None:
        self.lost.append((run_id, task_id))

    def stop_run(self, run_id: str) -> None:
        pass
