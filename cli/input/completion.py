"""What the shell offers when Tab is pressed: names of models, ids of runs. Silent when it cannot tell."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

RUNS = 20
"""Newest runs that are offered."""
ANSWER_S = 1.0
"""Seconds that whoever has the runs gets: somebody waits at a prompt."""


def model_names(incomplete: str) -> list[str]:
    """Models of configured providers that begin like this; all models when no provider is configured."""
    from ai3ray.errors import Ai3Error
    from ai3ray.registry.registry import Registry
    from ai3ray.settings.configured import configured_providers

    from ..command_context import load_context

    try:
        context = load_context()
        cards = Registry.load(context.settings).cards()
        configured = configured_providers(context.settings, context.env)
    except Ai3Error:
        return []
    return [
        card.name
        for card in cards
        if card.name.startswith(incomplete) and (card.provider in configured or not configured)
    ]


def run_ids(incomplete: str) -> list[str]:
    """The newest runs that begin like this, and `last`."""
    found = ["last", *_newest()]
    return [run_id for run_id in found if run_id.startswith(incomplete)]


def _newest() -> Sequence[str]:
    from ai3ray.errors import Ai3Error

    from ..command_context import load_context, run_async
    from .run_refs import newest_runs

    async def bounded() -> Sequence[str]:
        async with asyncio.timeout(ANSWER_S):
            return [row.run_id for row in await newest_runs(load_context(), RUNS)]

    try:
        return run_async(bounded())
    except (Ai3Error, TimeoutError, OSError):
        return []
