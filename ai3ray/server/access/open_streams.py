"""How many requests may be held open at a time: by one caller, and by all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ai3ray.errors import Throttled

PER_CALLER = 64
"""Streams, and runs waited for, that one key may hold open."""
PER_REPLICA = 800
"""And all together: below what Serve lets into a replica, so that short requests still get in."""
RETRY_AFTER_S = 5.0


class OpenStreams:
    """Counts what is held open.

    Args:
        per_caller: the most of one caller.
        in_all: the most of all.
    """

    def __init__(self, per_caller: int = PER_CALLER, in_all: int = PER_REPLICA) -> None:
        self._per_caller, self._in_all = per_caller, in_all
        self._open: Counter[str] = Counter()

    def take(self, caller: str) -> Callable[[], None]:
        """Count one more; returns what counts it off again, to be called once.

        Args:
            caller: a key's name; callers without one are limited only together.

        Raises:
            Throttled: there are too many already.
        """
        if caller and self._open[caller] >= self._per_caller:
            raise Throttled(f"{caller} holds {self._per_caller} requests open already", RETRY_AFTER_S)
        if self._open.total() >= self._in_all:
            raise Throttled(f"{self._in_all} requests are held open already", RETRY_AFTER_S)
        self._open[caller] += 1
        return lambda: self._give_back(caller)

    def _give_back(self, caller: str) -> None:
        self._open[caller] -= 1
        if not self._open[caller]:
            del self._open[caller]


class CountedResponse(Response):
    """A response that is counted until it has been sent, or given up.

    Args:
        response: what is sent.
        release: counts it off.
    """

    def __init__(self, response: Response, release: Callable[[], None]) -> None:
        super().__init__()
        self._response, self._release = response, release

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await self._response(scope, receive, send)
        finally:
            self._release()
