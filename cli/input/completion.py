"""Shell completion of model names and run ids; empty on errors."""

from __future__ import annotations

import asyncio

from ai3ray.errors import Ai3Error

RUNS = 20
"""Newest runs offered."""
ANSWER_S = 1.0
"""Seconds after which the run ids are given up."""

# Imports are late here: commands import this module, and only the shell calls it.


def model_names(incomplete: str) -> list[str]:
    """Return matching models of the configured providers, or of all when none is."""
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
    """Return matching ids among `last` and the newest runs."""
    from ..command_context import load_context, run_async

    async def newest() -> list[str]:
        async with asyncio.timeout(ANSWER_S), load_context().reader() as reader:
            return [row.run_id for row in await reader.runs(limit=RUNS)]

    try:
        found = ["last", *run_async(newest())]
    except (Ai3Error, TimeoutError, OSError):
        found = ["last"]
    return [run_id for run_id in found if run_id.startswith(incomplete)]
