"""The port every provider adapter implements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ai3ray.domain.call import ModelCall, Reply

OnText = Callable[[str], None]


class ChatModel(Protocol):
    """One provider account that answers chat calls."""

    async def send(self, call: ModelCall, on_text: OnText | None = None) -> Reply:
        """Make one call and return its complete reply. Never retries.

        Args:
            call: the model, the prompt and the time limits.
            on_text: called with each piece of text as it arrives; with it the call is streamed.

        Raises:
            ProviderError: the subclass for the failure, with its cause; StreamCut for a reply without its end.
            asyncio.CancelledError: once the connection is closed.
        """
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...
