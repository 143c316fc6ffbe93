"""Groups that import a command's module when the command is called."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group


class LazyCommand(TyperCommand):
    """A command's name and summary, enough for help and completion.

    Args:
        name: name in the group.
        summary: line in the group's help.
        load: imports the module; returns the function, or a Typer app for a command with verbs.
    """

    def __init__(self, name: str, summary: str, load: Callable[[], Callable[..., None] | typer.Typer]) -> None:
        super().__init__(name, help=summary, rich_markup_mode=None)
        self._load = load

    def load(self) -> TyperCommand | TyperGroup:
        """Return the command itself."""
        target = self._load()
        if isinstance(target, typer.Typer):
            group = get_group(target)
            group.name = self.name
            return group
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        mount(app, self.name or "", target)
        command = get_command(app)
        assert isinstance(command, TyperCommand | TyperGroup)
        return command


class LazyGroup(TyperGroup):
    """A group that loads a `LazyCommand` when it is called or completed."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Find the command, and load it."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.load() if isinstance(command, LazyCommand) else command, rest


def mount(app: typer.Typer, name: str, command: Callable[..., None]) -> None:
    """Add a command; its docstring is its help."""
    app.command(name, help=help_text(command))(command)


def help_text(command: Callable[..., None]) -> str:
    """Return the docstring, its indented blocks kept unwrapped."""
    paragraphs = (inspect.getdoc(command) or "").split("\n\n")
    # A paragraph that begins with \b is not wrapped.
    return "\n\n".join(f"\b\n{text}" if "\n  " in text else text for text in paragraphs)
