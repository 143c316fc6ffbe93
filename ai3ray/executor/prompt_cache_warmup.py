"""Calls that begin alike: one goes ahead, so that the provider has read their beginning before the others come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from hashlib import blake2b

KEPT_S = 240.0
"""Seconds that a beginning is taken to be kept after its last use: a little less than the shortest of the vendors'."""
PATIENCE_S = 5.0
"""Seconds that a call waits at most for another one's first word. Paying in full is better than waiting for long."""
_MOST = 512


class PromptCacheWarmup:
    """Knows what providers have read lately.

    What a call puts into a provider's cache can be read once its answer begins. So of calls that begin alike, and come
    while the cache does not know their beginning, the first goes alone, and the others wait for its first word. When it
    fails before that, the next goes ahead.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until: dict[bytes, float] = {}
        self._ahead: dict[bytes, asyncio.Event] = {}

    @asynccontextmanager
    async def turn(self, model: str, beginning: str) -> AsyncIterator[Callable[[], None]]:
        """Wait until a call of this model may be made; the call is the block.

        Args:
            model: as `provider/model`.
            beginning: how its prompt begins, like those of other calls.

        Yields:
            to be called with the first word of the answer, any number of times.
        """
        key = blake2b(f"{model}\n{beginning}".encode(errors="surrogatepass"), digest_size=16).digest()
        mine = await self._ahead_of_me(key)
        try:
            yield lambda: self._begun(key)
        finally:
            if mine is not None and self._ahead.get(key) is mine:
                del self._ahead[key]
                mine.set()

    async def _ahead_of_me(self, key: bytes) -> asyncio.Event | None:
        """Wait while another call is ahead; gives what others wait for, when it is this one that goes ahead."""
        give_up = self._clock() + PATIENCE_S
        while self._until.get(key, 0.0) <= self._clock():
            ahead = self._ahead.get(key)
            if ahead is None:
                self._ahead[key] = mine = asyncio.Event()
                return mine
            try:
                async with asyncio.timeout(give_up - self._clock()):
                    await ahead.wait()
            except TimeoutError:
                return None
        return None

    def _begun(self, key: bytes) -> None:
        now = self._clock()
        if len(self._until) >= _MOST:
            self._until = {known: until for known, until in self._until.items() if until > now}
        self._until[key] = now + KEPT_S
        if (event := self._ahead.pop(key, None)) is not None:
            event.set()
