"""Every use of Ray's private API."""

from __future__ import annotations

import inspect
from collections.abc import MutableMapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ai3ray.executor.ray.environment import LOOPBACK

# For clusters only; a laptop's head saves seconds of boot and 50 to 70 MB for each.
_LEAN_DEFAULTS: dict[str, Any] = {"no_monitor": True, "include_log_monitor": False, "dashboard_agent_listen_port": 0}


@dataclass(frozen=True)
class Driver:
    """A process connected by `ray.init`."""

    pid: int
    address: str
    """Its node's IP address."""


def make_lean() -> None:
    """Leave monitors and dashboard out of the next Ray; not for clusters."""
    from ray._private.node import Node
    from ray._private.parameter import RayParams

    init = RayParams.__init__
    parameters = inspect.signature(init).parameters
    defaults = list(init.__defaults__ or ())
    names = [name for name, parameter in parameters.items() if parameter.default is not inspect.Parameter.empty]
    for name, value in _LEAN_DEFAULTS.items():
        if name in names:
            defaults[names.index(name)] = value
    init.__defaults__ = tuple(defaults)
    with suppress(AttributeError):  # the dashboard's process starts even with `include_dashboard=False`
        setattr(Node, "start_api_server", lambda *_, **__: None)  # noqa: B010 - the type says it is a method


def read_environment_again(environ: MutableMapping[str, str]) -> None:
    """Apply LOOPBACK, and no folder copies under `uv run`, after Ray's import; existing variables stay."""
    from ray._private import ray_constants

    if not LOOPBACK.keys() & environ.keys():
        environ.update(LOOPBACK)
        ray_constants.ENABLE_RAY_CLUSTER = False
    if "RAY_ENABLE_UV_RUN_RUNTIME_ENV" not in environ:
        ray_constants.RAY_ENABLE_UV_RUN_RUNTIME_ENV = False


def node_processes() -> Sequence[int]:
    """Return the ids of gcs and raylet, if this process started them."""
    from ray._private.worker import _global_node

    kinds = getattr(_global_node, "all_processes", {})
    return tuple(info.process.pid for kind in ("gcs_server", "raylet") for info in kinds.get(kind, ()))


def in_worker() -> bool:
    """Return whether this is a Ray worker."""
    import ray
    from ray._private.worker import global_worker

    return bool(ray.is_initialized() and global_worker.mode == ray.WORKER_MODE)


def drivers() -> Sequence[Driver]:
    """Return this Ray's live drivers."""
    from ray._private import state

    jobs = state.jobs()  # type: ignore[no-untyped-call]  # as all of this module of Ray's
    return tuple(Driver(job["DriverPid"], job["DriverIPAddress"]) for job in jobs if not job["IsDead"])


def serve_http_host() -> str | None:
    """Return Serve's address; None before it starts."""
    from ray.serve.context import _get_global_client
    from ray.serve.exceptions import RayServeException

    with suppress(RayServeException):
        client = _get_global_client()
        if client is not None:
            return client.http_config.host or ""
    return None


def close_internal_port() -> None:
    """Keep this replica from opening its gRPC port; call it in the constructor.

    Serve 2.60 opens it on every interface, without authentication, and unpickles what arrives: anyone who reaches it
    can run code as this user. It is unused unless Serve is set to prefer gRPC.
    """
    from ray.serve._private import constants, replica

    if not (constants.RAY_SERVE_USE_GRPC_BY_DEFAULT or constants.RAY_SERVE_PROXY_USE_GRPC):
        setattr(replica, "add_port_to_grpc_server", lambda _server, _address: 0)  # noqa: B010 - the module does not export it
