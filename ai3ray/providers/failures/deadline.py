"""A limit in time that says in our words that it ran out."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from ai3ray.errors import CallTimeout


class Deadline:
    """Bounds what happens inside `async with`; raises CallTimeout when the time is up.

    Args:
        seconds: how long; None for no limit until `restart`.
        message: what the error says.
    """

    def __init__(self, seconds: float | None, message: str) -> None:
        self._seconds = seconds
        self._message = message
        self._timeout = asyncio.timeout(None)

    def restart(self, seconds: float, message: str) -> None:
        """Give it this much time from now; `message` is what the error then says."""
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
            # By now the request may have been sent, and what it made the model say is billed.
            raise CallTimeout(self._message, maybe_paid=True) from expired
