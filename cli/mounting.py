"""Putting commands into the tree, their docstrings as their help."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import typer


def mount(tree: typer.Typer, name: str, command: Callable[..., None]) -> None:
    """Add a command; its help is its docstring."""
    tree.command(name, help=help_text(command))(command)


def help_text(command: Callable[..., None]) -> str:
    """The docstring with its indented blocks, such as examples, kept as they stand."""
    paragraphs = (inspect.getdoc(command) or "").split("\n\n")
    # A paragraph that begins with \b is not wrapped.
    return "\n\n".join(f"\b\n{text}" if "\n  " in text else text for text in paragraphs)
