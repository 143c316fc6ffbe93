"""Python, the packages, the system's libraries and shared memory."""

from __future__ import annotations

import ctypes.util
import platform
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .finding import Finding

PYTHON = (3, 11)
PACKAGES = {"ray": "ray", "anthropic": "anthropic SDK", "openai": "openai SDK"}
OBJECT_STORE_MB = 128
"""Shared memory that the local head's Ray needs."""
_SHARED = Path("/dev/shm")  # noqa: S108 - looked at, never written to
_REINSTALL = "install ai3ray again: uv sync, or pip install --force-reinstall ai3ray"


def check_machine() -> Iterator[Finding]:
    """Yield a finding per requirement of this computer."""
    yield _python()
    yield from (_package(package, name) for package, name in PACKAGES.items())
    yield _duckdb()
    if sys.platform == "linux":
        yield _libgomp()
        yield _shared_memory()


def _python() -> Finding:
    found = f"{platform.python_version()} ({sys.executable})"
    if sys.version_info < PYTHON:
        return Finding("python", "fail", found, f"use Python {'.'.join(map(str, PYTHON))} or later")
    return Finding("python", "ok", found)


def _package(package: str, name: str) -> Finding:
    try:
        return Finding(name, "ok", version(package))
    except PackageNotFoundError:
        return Finding(name, "fail", "not installed", _REINSTALL)


def _duckdb() -> Finding:
    try:
        import duckdb  # fast, unlike the others; an installed wheel may not fit this system
    except ImportError as error:
        return Finding("duckdb", "fail", str(error), _REINSTALL)
    return Finding("duckdb", "ok", duckdb.__version__)


def _libgomp() -> Finding:
    if ctypes.util.find_library("gomp") is None:
        remedy = "apt-get install -y libgomp1 (or your system's package of it)"
        return Finding("libgomp", "warn", "not found; the embedded model needs it", remedy)
    return Finding("libgomp", "ok", "found")


def _shared_memory() -> Finding:
    try:
        free = shutil.disk_usage(_SHARED).free >> 20
    except OSError:
        return Finding(str(_SHARED), "warn", "missing: Ray uses the disk instead", f"mount a tmpfs on {_SHARED}")
    if free < OBJECT_STORE_MB:
        remedy = f"in a container: --shm-size=256m; else make room in {_SHARED}"
        return Finding(str(_SHARED), "warn", f"{free:,} MB free, Ray needs {OBJECT_STORE_MB}", remedy)
    return Finding(str(_SHARED), "ok", f"{free:,} MB free")
