"""The port every provider adapter implements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ai3ray.domain.call import ModelCall, Reply

OnText = Callable[[str], None]


class ChatModel(Protocol):
    """One provider account that answers chat calls. An adapter is one file beside this one."""

    async def send(self, call: ModelCall, on_text: OnText | None = None) -> Reply:
        """Make one call and return its complete answer.

        Args:
            call: what to ask, and the clocks it runs under.
            on_text: receives each piece of the text as it arrives; when given, the call is streamed.

        Raises:
            ProviderError: the one subclass that says what went wrong, cause chained. An answer whose
                terminal event was not seen is a StreamCut, never a Reply. Never retried in here.
            asyncio.CancelledError: after the connection was closed.
        """
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...
