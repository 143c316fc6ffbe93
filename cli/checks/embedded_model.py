"""The embedded model: its weights and its runtime."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from ai3ray.child.launcher import child_environment
from ai3ray.errors import SettingsError
from ai3ray.settings.configured import embedded_model_files
from ai3ray.settings.embedded_files import RUNTIME
from ai3ray.settings.model import Settings

from .finding import Finding

IMPORT_S = 8.0
"""Seconds that loading the runtime may take."""


def check_embedded_model(settings: Settings) -> Finding:
    """Return whether the model that needs no key can be called; without it, others still can."""
    model = embedded_model_files(settings)
    remedy = model.remedy()
    if remedy is not None:
        return Finding("local model", "warn", "not installed; without a provider's key there is no other model", remedy)
    try:
        weights = model.weights()
    except SettingsError as error:
        return Finding("local model", "warn", str(error), "ai3 local install")
    runtime = model.runtime()
    reason = _import_error(runtime) if runtime else f"{RUNTIME} is gone"
    if reason is not None:
        # What it lacks on a slim system is nearly always this library.
        return Finding("local model", "warn", f"{RUNTIME} does not load: {reason}", "apt-get install -y libgomp1")
    return Finding("local model", "ok", f"{weights.name}, run by {RUNTIME}")


def _import_error(folder: Path) -> str | None:
    """Return why the runtime does not load, tried in a child process because it may crash."""
    search = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter
            [sys.executable, "-P", "-c", f"import {RUNTIME}"],
            capture_output=True,
            text=True,
            timeout=IMPORT_S,
            check=False,
            env=child_environment(python_path=[*search, folder]),
        )
    except subprocess.TimeoutExpired:
        return f"not within {IMPORT_S:g} s"
    if done.returncode == 0:
        return None
    return next(iter(done.stderr.strip().splitlines()[-1:]), f"it ended with status {done.returncode}")
