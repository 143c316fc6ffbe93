"""A fair queue for SQL: bounded concurrency, and no owner can starve another."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ai3ray.errors import Throttled

_MAX_WAITING = 32


class QueryQueue:
    """Slots for running queries: a free one goes to the owner with the fewest, then to the first in line."""

    def __init__(self, max_running: int, max_wait_s: float) -> None:
        self._free = max_running
        self._max_wait_s = max_wait_s
        self._running: Counter[str | None] = Counter()
        self._waiting: list[tuple[str | None, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def slot(self, owner: str | None) -> AsyncIterator[None]:
        """Hold a slot inside the block.

        Raises:
            Throttled: no slot came free in time, or too many queries wait already.
        """
        await self._wait(owner)
        try:
            yield
        finally:
            self._release(owner)

    async def _wait(self, owner: str | None) -> None:
        if len(self._waiting) >= _MAX_WAITING:
            raise self._busy()
        waiter = owner, asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        self._start_next()
        try:
            async with asyncio.timeout(self._max_wait_s):
                await waiter[1]
        except TimeoutError:
            self._leave(waiter)
            raise self._busy() from None
        except BaseException:
            self._leave(waiter)
            raise

    def _leave(self, waiter: tuple[str | None, asyncio.Future[None]]) -> None:
        """Stop waiting; give back a slot that was granted in the same moment."""
        if waiter in self._waiting:
            self._waiting.remove(waiter)
        elif not waiter[1].cancelled():
            self._release(waiter[0])

    def _release(self, owner: str | None) -> None:
        self._free += 1
        self._running[owner] -= 1
        self._start_next()

    def _start_next(self) -> None:
        while self._free and self._waiting:
            waiter = min(self._waiting, key=lambda waiter: self._running[waiter[0]])
            self._waiting.remove(waiter)
            if not waiter[1].done():  # else it has just stopped waiting
                self._free -= 1
                self._running[waiter[0]] += 1
                waiter[1].set_result(None)

    def _busy(self) -> Throttled:
        return Throttled("too many queries at the moment; try again in a few seconds", self._max_wait_s)
