"""Variables to set before Ray's import."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, MutableMapping

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".*",  # keeps Ray's "(raylet) ..." lines off stdout
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # under `uv run`, workers would run in a copy of the working folder
}
"""For each process that uses Ray."""

LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Keeps Ray on loopback, on Linux too; its default is all interfaces."""

PATIENT = {
    "RAY_worker_niceness": "0",  # 15 by default; calls wait for our workers, which hardly compute
    "RAY_raylet_start_wait_time_s": "120",
    "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60",
}
"""For busy machines, where Ray's 30 s and 5 s are too short."""

OWN_RAY = {**QUIET, **LOOPBACK, "RAY_AUTH_MODE": "token", **PATIENT}
"""For our own Ray, except its token."""


def cluster_address(env: Mapping[str, str]) -> str | None:
    """Return the Ray cluster's address, if this process has one."""
    address = env.get("RAY_ADDRESS", "").strip()
    # A URL is a dashboard's, for `ray job submit`; there is nothing to join.
    if address and not address.startswith(("http://", "https://")):
        return address
    return "auto" if env.get("RAY_JOB_ID") else None


def set_for_own_ray(environ: MutableMapping[str, str]) -> None:
    """Prepare our own Ray: quiet, on loopback, behind a token."""
    environ.update(OWN_RAY)
    environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    environ.pop("RAY_ADDRESS", None)


def set_for_joining(environ: MutableMapping[str, str]) -> None:
    """Prepare to join a cluster; existing variables stay."""
    _set_defaults(environ, QUIET)


def set_for_serve_run(environ: MutableMapping[str, str]) -> None:
    """Prepare `serve run`'s Ray, together with `patches.read_environment_again`."""
    environ["RAY_ADDRESS"] = "local"  # otherwise it joins any Ray that this user has left running
    _set_defaults(environ, PATIENT)


def _set_defaults(environ: MutableMapping[str, str], values: Mapping[str, str]) -> None:
    for name, value in values.items():
        environ.setdefault(name, value)
