"""One prompt becomes a verified, parallel plan over many language models.

Names are loaded when they are first used: importing this package loads no Ray, no DuckDB, no HTTP
client and no vendor's SDK.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ai3ray.version import __version__

if TYPE_CHECKING:
    from ai3ray.api import arun, plan, run, stream
    from ai3ray.client.client import Client
    from ai3ray.domain.events import Event
    from ai3ray.domain.plan import TaskGraph
    from ai3ray.domain.request import RunRequest
    from ai3ray.domain.result import RunResult
    from ai3ray.errors import (
        Ai3Error,
        EngineError,
        HeadUnavailable,
        JournalError,
        PlanError,
        ProviderError,
        RequestError,
        RunError,
        SettingsError,
        UsageError,
    )

__all__ = [
    "Ai3Error",
    "Client",
    "EngineError",
    "Event",
    "HeadUnavailable",
    "JournalError",
    "PlanError",
    "ProviderError",
    "RequestError",
    "RunError",
    "RunRequest",
    "RunResult",
    "SettingsError",
    "TaskGraph",
    "UsageError",
    "__version__",
    "arun",
    "plan",
    "run",
    "stream",
]

_HOMES = {
    "Client": "ai3ray.client.client",
    "Event": "ai3ray.domain.events",
    "RunRequest": "ai3ray.domain.request",
    "RunResult": "ai3ray.domain.result",
    "TaskGraph": "ai3ray.domain.plan",
} | dict.fromkeys(("arun", "plan", "run", "stream"), "ai3ray.api")


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'ai3ray' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES.get(name, "ai3ray.errors")), name)


def __dir__() -> list[str]:
    return __all__
