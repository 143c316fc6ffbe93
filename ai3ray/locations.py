"""Where `cli` and `deployments` are: at the top of a checkout, inside `ai3ray` in a wheel.

In a wheel those plain names would clash with other people's packages; in a checkout they are what
`python -m cli` and `serve run deployments.serve:app` name.
"""

from __future__ import annotations

from pathlib import Path

IN_WHEEL = (Path(__file__).parent / "cli").is_dir()
"""Whether this package was installed from a wheel."""


def module_name(name: str) -> str:
    """The name by which `python -m` starts a module such as `deployments.head`."""
    return f"ai3ray.{name}" if IN_WHEEL else name


def source_root() -> Path:
    """The folder that has to be on the path of a process that is to import all of ai3ray."""
    return Path(__file__).parent.parent
