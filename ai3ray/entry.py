"""Entry points for the `ai3` command and for Ray Serve."""

from __future__ import annotations

from typing import Any

from ai3ray.locations import IN_WHEEL


def ai3() -> None:
    """Run the `ai3` command."""
    if IN_WHEEL:
        from ai3ray.cli.main import main
    else:
        from cli.main import main
    main()


def __getattr__(name: str) -> Any:
    """Build `app`, the app that `configs/serve.yaml` names, on first use."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if IN_WHEEL:
        from ai3ray.deployments import serve
    else:
        from deployments import serve
    return serve.app
