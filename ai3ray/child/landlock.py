"""Restrict the files and the network that this process, a child, can use, by Landlock where Linux has it.

The kernel enforces it whatever runs in the process, bugs in native code included. See landlock(7).
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable
from pathlib import Path

# New system calls have one number on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION = 1 << 0
_BENEATH = 1
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_FILES = (1 << 13) - 1
_REFER, _TRUNCATE = 1 << 13, 1 << 14
_TCP = 0b11
_PR_SET_NO_NEW_PRIVS = 38

# DuckDB looks for the limits of its container, and ends the process when it may not.
MACHINE_SIZE_FILES = tuple(
    map(Path, ("/proc/self/cgroup", "/proc/meminfo", "/proc/stat", "/sys/fs/cgroup", "/sys/devices/system/cpu"))
)
"""Files that show the size of the machine or container."""


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("net", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("path", ctypes.c_int32))


def restrict_filesystem(paths: Iterable[Path]) -> bool:
    """Let the calling thread, and threads that it starts, only read, and only these files and folders.

    It can write no file, start no program, gain no rights, and since Linux 6.7 use no TCP. Call it before other
    threads start.

    Args:
        paths: files, and folders with all below them; one that does not exist is left out.

    Returns:
        Whether it is restricted: older systems, and some containers, cannot.
    """
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)
    if version < 1:
        return False
    rules = _Ruleset(_FILES | (_REFER if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0), _TCP)
    size = ctypes.sizeof(rules) if version >= 4 else ctypes.sizeof(ctypes.c_uint64)
    ruleset = libc.syscall(_CREATE_RULESET, ctypes.byref(rules), ctypes.c_size_t(size), 0)
    if ruleset < 0:
        return False
    for path in paths:
        _allow(libc, ruleset, path)
    restricted: bool = libc.syscall(_RESTRICT_SELF, ruleset, 0) == 0
    os.close(ruleset)
    return restricted


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # it does not exist
        return
    rule = _Beneath(_READ_FILE | _READ_DIR if path.is_dir() else _READ_FILE, descriptor)
    libc.syscall(_ADD_RULE, ruleset, _BENEATH, ctypes.byref(rule), 0)
    os.close(descriptor)
