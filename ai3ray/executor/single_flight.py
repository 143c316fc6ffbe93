"""One question for all who wait for the same answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from contextvars import Context
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Answers that several wait for at a time: readers of one run, who all ask for its next events."""

    def __init__(self) -> None:
        self._asked: dict[Hashable, asyncio.Task[T]] = {}
        self._waiting: dict[asyncio.Task[T], int] = {}

    async def get(self, question: Hashable, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The answer to this question; asks only when nobody is waiting for it already.

        Args:
            question: what makes two askers want the same.
            ask: asks. Cancelled when the last who waits for it has left.

        Raises:
            What `ask` raises, to each who waits.
        """
        task = self._asked.get(question)
        if task is None:
            # In a context of its own: nothing of the request that happened to come first is to bind the others.
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
