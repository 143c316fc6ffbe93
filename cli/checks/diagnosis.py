"""All checks of `ai3 doctor`, run beside each other."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .finding import Finding
from .machine import machine

if TYPE_CHECKING:
    from ai3ray.errors import SettingsError

    from ..command_context import Setup


async def diagnosis(setup: Setup) -> list[Finding]:
    """What is configured, reachable and missing; takes as long as the slowest check."""
    from .embedded_model import embedded
    from .providers import callable_providers, providers

    system, found, local, asked = await asyncio.gather(
        asyncio.to_thread(lambda: list(machine())),
        _home(setup),
        asyncio.to_thread(embedded, setup.settings),
        providers(setup),
    )
    who = [] if setup.server or setup.settings.server else [callable_providers(setup)]
    return [*system, *found, *asked, local, *who]


def without_settings(error: SettingsError) -> list[Finding]:
    """What can be said when the settings themselves are wrong."""
    return [*machine(), Finding("settings", "fail", str(error), "correct that, then run ai3 doctor again")]


async def _home(setup: Setup) -> list[Finding]:
    from .home import home

    return [finding async for finding in home(setup)]
