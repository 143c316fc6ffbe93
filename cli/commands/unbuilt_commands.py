"""Commands that this version lacks: hidden from help, refused by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from ai3ray.errors import NotBuilt

NAMES = ("batch", "submit", "cache")

AnyArguments = Annotated[list[str] | None, typer.Argument()]


def add_unbuilt_commands(app: typer.Typer) -> None:
    """Add hidden commands that accept any arguments and refuse them."""
    for name in NAMES:
        app.command(name, hidden=True, add_help_option=False, context_settings={"ignore_unknown_options": True})(
            _refusal(f"ai3 {name}")
        )


def _refusal(full_name: str) -> Callable[[list[str] | None], None]:
    def refuse(arguments: AnyArguments = None) -> None:  # noqa: ARG001 - refused with all its arguments
        raise NotBuilt(f"{full_name} is not built in this version")

    return refuse
