"""Groups of commands whose modules are imported only when a command is called."""

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
        name: the command's name in its group.
        summary: its line in the group's help.
        load: imports the command's module and returns its function, or a Typer app for a command with verbs.
        hidden: leave it out of help and completion.
    """

    def __init__(
        self, name: str, summary: str, load: Callable[[], Callable[..., None] | typer.Typer], *, hidden: bool = False
    ) -> None:
        super().__init__(name, help=summary, hidden=hidden, rich_markup_mode=None)
        self._load = load

    def load(self) -> TyperCommand | TyperGroup:
        """Import the command's module and build the command itself."""
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
    """A group that replaces a `LazyCommand` by the command itself when it is called or completed."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Find the command that `args` name, and import its module."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.load() if isinstance(command, LazyCommand) else command, rest


def mount(app: typer.Typer, name: str, command: Callable[..., None]) -> None:
    """Add a command; its docstring is its help."""
    app.command(name, help=help_text(command))(command)


def help_text(command: Callable[..., None]) -> str:
    """Return the docstring with its indented blocks, such as examples, kept unwrapped."""
    paragraphs = (inspect.getdoc(command) or "").split("\n\n")
    # A paragraph that begins with \b is not wrapped.
    return "\n\n".join(f"\b\n{text}" if "\n  " in text else text for text in paragraphs)
