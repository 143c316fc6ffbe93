"""The paths of a home's head, short enough for Unix sockets."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from ai3ray.errors import SettingsError

# sun_path has 108 bytes on Linux and 104 elsewhere, including the final zero.
SOCKET_BYTES = 107 if sys.platform == "linux" else 103
# Ray appends `/session_<26 characters>_<pid>/sockets/plasma_store`, up to 64 bytes, to its folder.
RAY_BYTES = SOCKET_BYTES - 64


@dataclass(frozen=True, slots=True)
class HeadPaths:
    """The paths of a home's head."""

    home: Path
    """AI3_HOME, absolute."""
    socket: Path
    ray_dir: Path


def head_paths(home: Path) -> HeadPaths:
    """Return the paths of this home's head, in a short folder where the home's own path is too long.

    Raises:
        SettingsError: the short folder is needed and belongs to another user.
    """
    socket, ray_dir = home / "head.sock", home / "ray"
    if len(os.fsencode(socket)) + len(".4194304") > SOCKET_BYTES:
        socket = private_folder(home) / "head.sock"
    # Ray fails on a session folder whose path is not ASCII.
    if len(os.fsencode(ray_dir)) > RAY_BYTES or not str(ray_dir).isascii():
        ray_dir = private_folder(home) / "ray"
    return HeadPaths(home, socket, ray_dir)


def private_folder(home: Path) -> Path:
    """Create the home's short folder in /tmp, private to this user, and return it.

    Raises:
        SettingsError: it belongs to another user.
    """
    digest = hashlib.blake2b(os.fsencode(home), digest_size=5).hexdigest()
    folder = Path("/tmp") / f"ai3-{os.getuid()}-{digest}"  # noqa: S108 - TMPDIR may be long; the owner is checked below
    folder.mkdir(mode=0o700, exist_ok=True)
    info = folder.lstat()
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.getuid() or info.st_mode & 0o077:
        raise SettingsError(f"{folder} is not a private folder of this user; remove it, or choose a shorter AI3_HOME")
    return folder
