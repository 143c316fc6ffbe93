"""What the planner needs of the world: somebody who asks a model."""

from __future__ import annotations

from typing import Protocol

from ai3ray.domain.call import Prompt, Reply


class Ask(Protocol):
    """Makes one model call for the planner; who is called, and under which limits, is decided behind it."""

    async def __call__(self, prompt: Prompt, *, n: int) -> Reply:
        """Ask a model that can plan.

        Args:
            prompt: what is asked.
            n: 1 for the first call of this planning, then counting.

        Raises:
            ProviderError: the call failed, and no other model is left to try.
            RunError: no model can be asked.
        """
        ...
