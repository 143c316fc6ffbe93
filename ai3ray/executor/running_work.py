"""A runner's asyncio tasks by run."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

REMEMBERED = 1000
"""Stopped runs remembered, since late work may arrive."""


class RunningWork:
    """Tasks, to be cancelled with their run."""

    def __init__(self) -> None:
        self._tasks: defaultdict[str, set[asyncio.Task[object]]] = defaultdict(set)
        self._stopped: OrderedDict[str, None] = OrderedDict()

    @contextmanager
    def of(self, run_id: str) -> Iterator[None]:
        """Register the current task. Raises CancelledError if the run is or gets stopped."""
        if run_id in self._stopped:
            raise asyncio.CancelledError(f"run {run_id} was stopped")
        task = asyncio.current_task()
        assert task is not None
        self._tasks[run_id].add(task)
        try:
            yield
        finally:
            self._tasks[run_id].discard(task)
            if not self._tasks[run_id]:
                del self._tasks[run_id]

    def stop(self, run_id: str) -> None:
        """Cancel the run's work, now and later."""
        self._stopped[run_id] = None
        while len(self._stopped) > REMEMBERED:
            self._stopped.popitem(last=False)
        for task in self._tasks.get(run_id, ()):
            task.cancel()
