"""All checks of `ai3 doctor`, run beside each other."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .finding import Finding
from .machine import check_machine

if TYPE_CHECKING:
    from ai3ray.errors import SettingsError

    from ..command_context import CommandContext


async def diagnose(context: CommandContext) -> list[Finding]:
    """What is configured, reachable and missing; takes as long as the slowest check."""
    from .embedded_model import check_embedded_model
    from .providers import check_providers, check_usable_providers

    system, found, local, asked = await asyncio.gather(
        asyncio.to_thread(lambda: list(check_machine())),
        _home(context),
        asyncio.to_thread(check_embedded_model, context.settings),
        check_providers(context),
    )
    who = [] if context.server or context.settings.server else [check_usable_providers(context)]
    return [*system, *found, *asked, local, *who]


def diagnose_without_settings(error: SettingsError) -> list[Finding]:
    """What can be said when the settings themselves are wrong."""
    return [*check_machine(), Finding("settings", "fail", str(error), "correct that, then run ai3 doctor again")]


async def _home(context: CommandContext) -> list[Finding]:
    from .home import check_home

    return [finding async for finding in check_home(context)]
