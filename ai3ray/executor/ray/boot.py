"""Boots the Ray of a local head: lean, on loopback only, behind a token, and taken down in order."""

from __future__ import annotations

import inspect
import logging
import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ai3ray.errors import Ai3Error, EngineError
from ai3ray.settings.model import Settings

if TYPE_CHECKING:
    from ray.actor import ActorHandle

    from ai3ray.executor.ray.engine import RayEngine

OBJECT_STORE_BYTES = 128 << 20
"""Outcomes are texts; Ray wants at least 75 MB."""
READY_S = 60.0
"""Seconds that the core gets to open its journal."""
CLOSE_S = 5.0
"""Seconds that it gets to close it."""

# For a Ray of our own on a machine that has much else to do. Ray's workers yield to all other processes (niceness 15),
# but ours hardly compute, and somebody waits for what they pass on. And its 30 seconds for a raylet and 5 for Serve's
# proxy are too few there: it gives up what would have been up a moment later.
RAY_WHERE_BUSY = {
    "RAY_worker_niceness": "0",
    "RAY_raylet_start_wait_time_s": "120",
    "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60",
}
# Read when ray is imported. Loopback and a token: by default every port listens on all interfaces.
RAY_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".*",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_AUTH_MODE": "token",
    **RAY_WHERE_BUSY,
}

# Ray starts these for clusters; a laptop's head needs none of them (seconds of boot, 50 to 70 MB each).
# They are private defaults: looked up by name, and skipped where a version does not have them.
LEAN_DEFAULTS: dict[str, Any] = {"no_monitor": True, "include_log_monitor": False, "dashboard_agent_listen_port": 0}


@dataclass
class RayHandle:
    """A running local Ray with the core in it."""

    engine: RayEngine
    """The core, for the app."""
    core: ActorHandle[Any]
    """The core actor."""
    processes: Sequence[int]
    """Process ids to watch: gcs and raylet. When one ends, so must the head."""

    def shutdown(self) -> None:
        """Close the journal, then take Ray down; in the thread that booted it. Runs stay resumable."""
        import ray
        from ray.exceptions import RayError

        with suppress(RayError):  # a core that is gone has no journal to close
            ray.get(self.core.aclose.remote(), timeout=CLOSE_S)
        ray.shutdown()


def boot_local(settings: Settings, *, temp_dir: Path) -> RayHandle:
    """Start a Ray of our own and the core in it. The calling thread has to live as long as Ray.

    Args:
        settings: handed to core and runners; keys reach them by the environment alone.
        temp_dir: Ray's folder, at most 43 bytes long.

    Raises:
        EngineError: Ray did not start.
    """
    os.environ.update(RAY_ENVIRONMENT)
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    os.environ.pop("RAY_ADDRESS", None)
    import ray
    from ray.exceptions import RayTaskError

    make_lean()
    try:
        ray.init(
            address="local",
            num_cpus=os.cpu_count() or 1,
            include_dashboard=False,
            configure_logging=True,
            logging_level=logging.ERROR,
            log_to_driver=False,
            object_store_memory=OBJECT_STORE_BYTES,
            namespace="ai3",
            _temp_dir=str(temp_dir),
        )
    except (OSError, RuntimeError, ValueError, TimeoutError) as error:
        raise EngineError(f"Ray did not start: {error}") from error
    from ai3ray.executor.ray.actors import create_core
    from ai3ray.executor.ray.engine import RayEngine

    core = create_core(settings)
    engine = RayEngine(core)
    try:
        ray.get(core.ready.remote(), timeout=READY_S)
    except RayTaskError as error:
        if isinstance(error.cause, Ai3Error):  # such as: the journal is another process's
            raise error.cause from None
        raise
    return RayHandle(engine=engine, core=core, processes=_watched_processes())


def make_lean() -> None:
    """Change the defaults of Ray's own parameters, by name, where this version has them.

    For a Ray of our own that this process is about to start; never for clusters.
    """
    from ray._private.node import Node
    from ray._private.parameter import RayParams

    init = RayParams.__init__
    parameters = inspect.signature(init).parameters
    defaults = list(init.__defaults__ or ())
    names = [name for name, parameter in parameters.items() if parameter.default is not inspect.Parameter.empty]
    for name, value in LEAN_DEFAULTS.items():
        if name in names:
            defaults[names.index(name)] = value
    init.__defaults__ = tuple(defaults)
    with suppress(AttributeError):
        setattr(Node, "start_api_server", _no_api_server)  # noqa: B010 - the type says it is a method


def _no_api_server(*_: Any, **__: Any) -> None:
    """The dashboard's process starts even when it is told not to."""


def _watched_processes() -> Sequence[int]:
    from ray._private.worker import _global_node

    found: list[int] = []
    for kind, infos in getattr(_global_node, "all_processes", {}).items():
        if kind in {"gcs_server", "raylet"}:
            found.extend(info.process.pid for info in infos)
    return tuple(found)
