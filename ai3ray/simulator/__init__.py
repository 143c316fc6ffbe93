"""A simulator of LLM providers, with wire formats, latencies, limits, faults and a billing ledger.

`ai3 simulate` runs it; tests and benches measure ai3ray against it. `app`, `run`, `running` and `running_in_thread`
load the HTTP server on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ai3ray.simulator.simulator_settings import (
    Answers,
    Caching,
    Limits,
    Pace,
    Price,
    Ramp,
    SimulatorSettings,
)

if TYPE_CHECKING:
    from ai3ray.simulator.host.asgi_app import app
    from ai3ray.simulator.host.host import Simulator, run, running, running_in_thread

__all__ = [
    "Answers",
    "Caching",
    "Limits",
    "Pace",
    "Price",
    "Ramp",
    "Simulator",
    "SimulatorSettings",
    "app",
    "run",
    "running",
    "running_in_thread",
]


def __getattr__(name: str) -> Any:
    if name == "app":
        from ai3ray.simulator.host.asgi_app import app

        return app
    if name in __all__:
        from ai3ray.simulator.host import host

        return getattr(host, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
