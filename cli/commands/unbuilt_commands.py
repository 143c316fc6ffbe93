"""Commands that are promised and not built yet: refused by name, never shown as working."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated

import typer

from ai3ray.errors import NotBuilt

COMMANDS = {
    "batch": "ai3 batch",
    "submit": "ai3 submit",
    "cache": "ai3 cache",
}

AnyArguments = Annotated[list[str] | None, typer.Argument()]


def mount_refusals(tree: typer.Typer, commands: Mapping[str, str]) -> None:
    """Add hidden commands that take any words and refuse them.

    Args:
        tree: where to.
        commands: what each is called in full, by its name in the tree.
    """
    for name, full_name in commands.items():
        tree.command(name, hidden=True, add_help_option=False, context_settings={"ignore_unknown_options": True})(
            _refusal(full_name)
        )


def _refusal(full_name: str) -> Callable[[list[str] | None], None]:
    def refuse(words: AnyArguments = None) -> None:  # noqa: ARG001 - whatever follows is refused with it
        raise NotBuilt(f"{full_name} is not built in this version")

    return refuse
