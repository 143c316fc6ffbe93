"""All checks of `ai3 doctor`, run at the same time."""

from __future__ import annotations

import asyncio

from ai3ray.errors import SettingsError

from ..command_context import CommandContext
from .embedded_model import check_embedded_model
from .finding import Finding
from .home import check_home
from .machine import check_machine
from .providers import check_providers, check_usable_providers


async def diagnose(context: CommandContext) -> list[Finding]:
    """Return what is configured, reachable and missing; this takes as long as the slowest check."""
    machine, home, embedded, providers = await asyncio.gather(
        asyncio.to_thread(lambda: list(check_machine())),
        check_home(context),
        asyncio.to_thread(check_embedded_model, context.settings),
        check_providers(context),
    )
    usable = [] if context.server or context.settings.server else [check_usable_providers(context)]
    return [*machine, *home, *providers, embedded, *usable]


def diagnose_without_settings(error: SettingsError) -> list[Finding]:
    """Return what can be checked when the settings themselves are wrong."""
    return [*check_machine(), Finding("settings", "fail", str(error), "correct that, then run ai3 doctor again")]
