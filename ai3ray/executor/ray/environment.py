"""Every environment variable set for Ray. Ray reads them when it is imported: call these before."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, MutableMapping

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".*",  # keeps Ray's "(raylet) ..." lines off stdout
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # under `uv run`, workers would run in a copy of the working folder
}
"""For every process of ours that uses Ray."""

LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Keeps Ray on the loopback address, on Linux too; by default it listens on all interfaces."""

PATIENT = {
    "RAY_worker_niceness": "0",  # 15 by default; our workers hardly compute, but calls wait for them
    "RAY_raylet_start_wait_time_s": "120",
    "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60",
}
"""For a busy machine, where Ray's defaults (30 s, 5 s) give up too early."""

OWN_RAY = {**QUIET, **LOOPBACK, "RAY_AUTH_MODE": "token", **PATIENT}
"""For a Ray of our own, but for its token."""


def cluster_address(env: Mapping[str, str]) -> str | None:
    """Return the address of the Ray that this process is part of, if any.

    A URL in `RAY_ADDRESS` names a dashboard, for `ray job submit`: nothing to join.
    """
    address = env.get("RAY_ADDRESS", "").strip()
    if address and not address.startswith(("http://", "https://")):
        return address
    return "auto" if env.get("RAY_JOB_ID") else None


def set_for_own_ray(environ: MutableMapping[str, str]) -> None:
    """Prepare a Ray of our own: quiet, on loopback, behind a token."""
    environ.update(OWN_RAY)
    environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    environ.pop("RAY_ADDRESS", None)


def set_for_joining(environ: MutableMapping[str, str]) -> None:
    """Prepare to join a cluster, and keep what is set: authentication and addresses are its own business."""
    _set_defaults(environ, QUIET)


def set_for_serve_run(environ: MutableMapping[str, str]) -> None:
    """Prepare the Ray that `serve run` starts; `patches.read_environment_again` does the rest."""
    environ["RAY_ADDRESS"] = "local"  # otherwise it joins whatever Ray this user has left running
    _set_defaults(environ, PATIENT)


def _set_defaults(environ: MutableMapping[str, str], values: Mapping[str, str]) -> None:
    for name, value in values.items():
        environ.setdefault(name, value)
