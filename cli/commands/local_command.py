"""`ai3 local`: the embedded model."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import typer

from .. import options
from ..mounting import mount


def app() -> typer.Typer:
    """The noun with its verb."""
    tree = typer.Typer(help="Install the embedded demo model.", rich_markup_mode=None)
    tree.callback()(_noun)  # with one verb alone Typer would drop the noun
    mount(tree, "install", install)
    return tree


def install(config: options.Config = None) -> None:
    """Install the embedded demo model: 93 MB of weights, and its runtime where that is missing.

    Without any key, 'ai3 run' uses it. Nothing of the Python environment is changed: all of it goes
    to the folder 'models' of AI3_HOME.

    Examples:
      ai3 local install && ai3 run "Write a 3-section blog post about AI"
    """
    from dataclasses import replace

    from ai3ray.providers.embedded.install import install as install_files
    from ai3ray.providers.embedded.install import missing
    from ai3ray.settings.configured import local_model

    from ..command_context import load_context, notify
    from ..streams import write_stdout

    chosen = local_model(load_context(config).settings)
    model = replace(chosen, given=None)
    names = missing(model)
    if names:
        with _waiting(f"installing the demo model into {model.folder} (93 MB and more) …"):
            install_files(model, names)
    write_stdout(f"{'installed' if names else 'already installed'}: {model.model_id}, weights in {model.weights()}\n")
    if chosen.given is not None:
        notify(f"AI3_LOCAL_MODEL is set: {chosen.given} is used instead")


def _noun() -> None:
    """Nothing of its own."""


def _waiting(text: str) -> AbstractContextManager[Any]:
    """Tell what takes time: a spinner for a person, a line for a log."""
    from ..command_context import notify
    from ..streams import console, is_terminal

    if is_terminal(sys.stderr):
        return console(sys.stderr).status(f"ai3: {text}", spinner="dots")
    notify(text)
    return nullcontext()
