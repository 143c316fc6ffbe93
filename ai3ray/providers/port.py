"""The port every provider adapter implements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ai3ray.domain.call import ModelCall, Reply

OnText = Callable[[str], None]


class ChatModel(Protocol):
    """One provider account that answers chat calls. An adapter is one file beside this one, and a row in `build.py`."""

    async def send(self, call: ModelCall, on_text: OnText | None = None) -> Reply:
        """Make one call and return its complete reply. Never retries.

        Args:
            call: the model, the prompt and the time limits.
            on_text: called with each piece of text as it arrives; its presence makes the call a streamed one.

        Raises:
            ProviderError: the subclass for what went wrong, with its cause. A reply without its terminal event
                is a StreamCut, never a Reply.
            asyncio.CancelledError: once the connection is closed.
        """
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...
