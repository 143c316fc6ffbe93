"""A bytecode cache of our own where the environment forbids Python's."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def keep_bytecode() -> None:
    """Cache bytecode in `$AI3_HOME/pycache` when PYTHONDONTWRITEBYTECODE is set.

    Many containers set it, and compiling then takes two thirds of a command's start.
    """
    if not sys.dont_write_bytecode or sys.pycache_prefix:
        return
    try:
        folder = _private_folder(Path(os.environ.get("AI3_HOME") or "~/.ai3ray").expanduser().absolute())
    except (OSError, RuntimeError):  # no home, or not writable: slower, not wrong
        return
    if folder is not None:
        sys.pycache_prefix = str(folder)
        sys.dont_write_bytecode = False


def _private_folder(home: Path) -> Path | None:
    """Return the cache's folder; None when another user could write code into it."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = home / "pycache"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    foreign = os.name == "posix" and (found.st_uid != os.getuid() or found.st_mode & 0o022)
    return None if foreign or folder.is_symlink() else folder
