"""Boots a local head's Ray: lean, loopback, token."""

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
"""Enough for texts; Ray requires 75 MB."""
READY_S = 60.0
"""Seconds for the core to open its journal."""
CLOSE_S = 5.0
"""Seconds for the core to close its journal."""


@dataclass
class RayHandle:
    """A local Ray with its core."""

    engine: RayEngine
    core: ActorHandle[Any]
    processes: Sequence[int]
    """Ids of gcs and raylet; the head ends with either."""

    def shutdown(self) -> None:
        """Close the journal, then Ray, in the thread that booted it."""
        import ray
        from ray.exceptions import RayError

        with suppress(RayError):  # a dead core has no journal to close
            ray.get(self.core.aclose.remote(), timeout=CLOSE_S)
        ray.shutdown()


def boot_local(settings: Settings, *, temp_dir: Path) -> RayHandle:
    """Start our own Ray and core; the calling thread has to live as long.

    The actors read keys from the environment; `temp_dir` has at most 43 bytes. Raises EngineError if Ray did not start.
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
        if isinstance(error.cause, Ai3Error):  # for instance, another process has locked the journal
            raise error.cause from None
        raise
    return RayHandle(engine=engine, core=core, processes=node_processes())
