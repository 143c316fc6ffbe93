"""Whose query is next: few run at a time, and nobody's many keep another's one waiting."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ai3ray.errors import Throttled

_LONGEST_LINE = 32


class QueryQueue:
    """A free turn goes to the owner who has the fewest, among equals to who came first.

    Args:
        at_a_time: turns there are.
        patience_s: seconds that one waits for a turn.
    """

    def __init__(self, at_a_time: int, patience_s: float) -> None:
        self._free = at_a_time
        self._patience_s = patience_s
        self._having: Counter[str | None] = Counter()
        self._waiting: list[tuple[str | None, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def turn(self, owner: str | None) -> AsyncIterator[None]:
        """Wait for a turn and have it.

        Raises:
            Throttled: there was none in time, or too many wait already.
        """
        await self._wait(owner)
        try:
            yield
        finally:
            self._give_back(owner)

    async def _wait(self, owner: str | None) -> None:
        if len(self._waiting) >= _LONGEST_LINE:
            raise self._busy()
        place = owner, asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        self._call_next()
        try:
            async with asyncio.timeout(self._patience_s):
                await place[1]
        except TimeoutError:
            self._leave(place)
            raise self._busy() from None
        except BaseException:
            self._leave(place)
            raise

    def _leave(self, place: tuple[str | None, asyncio.Future[None]]) -> None:
        """Whoever waits no longer may have been called in the same moment."""
        if place in self._waiting:
            self._waiting.remove(place)
        elif not place[1].cancelled():
            self._give_back(place[0])

    def _give_back(self, owner: str | None) -> None:
        self._free += 1
        self._having[owner] -= 1
        self._call_next()

    def _call_next(self) -> None:
        while self._free and self._waiting:
            place = min(self._waiting, key=lambda place: self._having[place[0]])
            self._waiting.remove(place)
            if not place[1].done():  # else it has just given up
                self._free -= 1
                self._having[place[0]] += 1
                place[1].set_result(None)

    def _busy(self) -> Throttled:
        return Throttled("too many queries at the moment; ask again in a few seconds", self._patience_s)
