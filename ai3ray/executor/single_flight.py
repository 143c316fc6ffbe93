"""Shares calls between callers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from contextvars import Context
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """One call for concurrent callers with the same question."""

    def __init__(self) -> None:
        self._asked: dict[Hashable, asyncio.Task[T]] = {}
        self._waiting: dict[asyncio.Task[T], int] = {}

    async def get(self, question: Hashable, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return the answer, asking only if no other caller waits for it.

        Errors are raised in each caller; `ask` is cancelled with its last caller.
        """
        task = self._asked.get(question)
        if task is None:
            # An empty context: the first caller's variables, such as a deadline, must not affect the others.
            task = asyncio.create_task(ask(), name="single-flight", context=Context())
            self._asked[question] = task
            self._waiting[task] = 0
            task.add_done_callback(lambda task: self._forget(question, task))
        self._waiting[task] += 1
        try:
            return await asyncio.shield(task)
        finally:
            self._waiting[task] -= 1
            if not self._waiting[task]:
                del self._waiting[task]
                if task.cancel():
                    self._forget(question, task)

    def _forget(self, question: Hashable, task: asyncio.Task[T]) -> None:
        if self._asked.get(question) is task:
            del self._asked[question]
