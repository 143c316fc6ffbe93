"""One prompt becomes a verified, parallel plan over many language models.

Names are loaded on first use: importing this package loads no Ray, no DuckDB, no HTTP client and no vendor SDK.
"""

from __future__ import annotations

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


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'ai3ray' has no attribute {name!r}")
    home: Any
    match name:
        case "arun" | "plan" | "run" | "stream":
            from ai3ray import api as home
        case "Client":
            from ai3ray.client import client as home
        case "Event":
            from ai3ray.domain import events as home
        case "TaskGraph":
            from ai3ray.domain import plan as home
        case "RunRequest":
            from ai3ray.domain import request as home
        case "RunResult":
            from ai3ray.domain import result as home
        case _:
            from ai3ray import errors as home
    return getattr(home, name)


def __dir__() -> list[str]:
    return __all__
