"""A time limit that raises CallTimeout with its own message."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from ai3ray.errors import CallTimeout


class Deadline:
    """A time limit on an `async with` block, which raises CallTimeout when it passes.

    Args:
        seconds: None for no limit until `restart`.
        message: the error's message.
    """

    def __init__(self, seconds: float | None, message: str) -> None:
        self._seconds = seconds
        self._message = message
        self._timeout = asyncio.timeout(None)

    def restart(self, seconds: float, message: str) -> None:
        """Allow this many seconds from now; `message` replaces the error's message."""
        self._message = message
        self._timeout.reschedule(asyncio.get_running_loop().time() + seconds)

    async def __aenter__(self) -> Self:
        self._timeout = asyncio.timeout(self._seconds)
        await self._timeout.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError as expired:
            # The request may have been sent, and the provider bills what the model wrote.
            raise CallTimeout(self._message, maybe_paid=True) from expired
