"""Where `cli` and `deployments` are: at the top of a checkout, inside `ai3ray` in a wheel.

In a wheel those plain names would clash with other people's packages; in a checkout they are what
`python -m cli` and `serve run deployments.serve:app` name. Everything else asks here.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any


def module_name(name: str) -> str:
    """The importable name of a module such as `cli.main` or `deployments.head`."""
    package = name.partition(".")[0]
    return f"ai3ray.{name}" if (Path(__file__).parent / package).is_dir() else name


def load(name: str) -> ModuleType:
    """Import a module such as `deployments.inline`, wherever it lives."""
    return importlib.import_module(module_name(name))


def source_root() -> Path:
    """The folder that has to be on the path of a process that is to import all of ai3ray."""
    return Path(__file__).parent.parent


def ai3() -> None:
    """The `ai3` command."""
    root = str(source_root())
    if root not in sys.path:
        sys.path.insert(0, root)
    load("cli.main").main()


def __getattr__(name: str) -> Any:
    """`app`: the app on Ray Serve, made when it is asked for; what `configs/serve.yaml` names."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return load("deployments.serve").app
