"""Fills a prompt cache before similar calls follow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from hashlib import blake2b

KEPT_S = 240.0
"""Seconds that a cache holds an unused beginning; just under any vendor's."""
PATIENCE_S = 5.0
"""Seconds to wait for another call's first text; then the call pays in full."""
_MAX_BEGINNINGS = 512


class PromptCacheWarmup:
    """Delays calls with the same beginning until the first one's answer begins.

    The provider's cache then holds it; if that call fails before, the next goes ahead.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until: dict[bytes, float] = {}
        self._ahead: dict[bytes, asyncio.Event] = {}

    @asynccontextmanager
    async def turn(self, model: str, beginning: str) -> AsyncIterator[Callable[[], None]]:
        """Wait for this call's turn; make it inside the block.

        Yields a function to call when text arrives; `model` is `provider/model`.
        """
        key = blake2b(f"{model}\n{beginning}".encode(errors="surrogatepass"), digest_size=16).digest()
        mine = await self._wait_for_turn(key)
        try:
            yield lambda: self._begun(key)
        finally:
            if mine is not None and self._ahead.get(key) is mine:
                del self._ahead[key]
                mine.set()

    async def _wait_for_turn(self, key: bytes) -> asyncio.Event | None:
        """Return this call's event if it goes ahead."""
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
        if len(self._until) >= _MAX_BEGINNINGS:
            self._until = {known: until for known, until in self._until.items() if until > now}
        self._until[key] = now + KEPT_S
        if (event := self._ahead.pop(key, None)) is not None:
            event.set()
