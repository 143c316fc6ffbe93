"""Limits on open requests per caller and per replica."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ai3ray.errors import Throttled

PER_CALLER = 64
"""Long-lived requests that one key may have open."""
PER_REPLICA = 800
"""Long-lived requests of all keys, fewer than Serve allows a replica, so that short requests get through."""
RETRY_AFTER_S = 5.0


class OpenStreams:
    """Counts the long-lived requests.

    Args:
        per_caller: the limit per caller.
        in_all: the limit over all callers.
    """

    def __init__(self, per_caller: int = PER_CALLER, in_all: int = PER_REPLICA) -> None:
        self._per_caller, self._in_all = per_caller, in_all
        self._open: Counter[str] = Counter()

    def take(self, caller: str) -> Callable[[], None]:
        """Count one more request and return the function that releases it, to be called once.

        Args:
            caller: the key's name; callers without a key share only the total limit.

        Raises:
            Throttled: a limit is reached.
        """
        if caller and self._open[caller] >= self._per_caller:
            raise Throttled(f"API key {caller!r} already has {self._per_caller} open requests", RETRY_AFTER_S)
        if self._open.total() >= self._in_all:
            raise Throttled(f"the server already has {self._in_all} open requests", RETRY_AFTER_S)
        self._open[caller] += 1

        def release() -> None:
            self._open[caller] -= 1
            if not self._open[caller]:
                del self._open[caller]

        return release


class CountedResponse(Response):
    """A response that releases its request at its end.

    Args:
        response: sent unchanged.
        release: called when the response is sent or aborted.
    """

    def __init__(self, response: Response, release: Callable[[], None]) -> None:
        super().__init__()
        self._response, self._release = response, release

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        try:
            await self._response(scope, receive, send)
        finally:
            self._release()
