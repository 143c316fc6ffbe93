"""Boots the Ray of a local head: lean, on loopback only, behind a token, and taken down in order."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ai3ray.errors import Ai3Error, EngineError
from ai3ray.executor.ray.environment import set_for_own_ray
from ai3ray.executor.ray.patches import make_lean, node_processes
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
    set_for_own_ray(os.environ)
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
    return RayHandle(engine=engine, core=core, processes=node_processes())
