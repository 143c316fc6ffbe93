"""One call for all callers that wait for the same answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from contextvars import Context
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Shares one call among concurrent callers, for instance the readers of one run that ask for its next events."""

    def __init__(self) -> None:
        self._asked: dict[Hashable, asyncio.Task[T]] = {}
        self._waiting: dict[asyncio.Task[T], int] = {}

    async def get(self, question: Hashable, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return the answer to a question; ask only when no caller is waiting for it already.

        Args:
            question: equal for all callers that want the same answer.
            ask: asks; cancelled when its last caller is cancelled.

        Raises:
            What `ask` raises, in each waiting caller.
        """
        task = self._asked.get(question)
        if task is None:
            # An empty context: the first caller's variables, a deadline for instance, must not bind the others.
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
