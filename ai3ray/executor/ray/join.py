"""Joins a Ray cluster."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from ai3ray.errors import Ai3Error, EngineError
from ai3ray.executor.ray.environment import set_for_joining
from ai3ray.settings.model import Settings

if TYPE_CHECKING:
    from ai3ray.executor.ray.engine import RayEngine

JOIN_S = 90.0
"""Seconds for a new core to open its journal."""


def join(settings: Settings, address: str) -> RayEngine:
    """Connect to the cluster and its core, created if there is none.

    `settings` are for a new core; each node has its own keys.

    Raises:
        EngineError: the cluster or its core cannot be reached.
        SettingsError: the core serves another home.
    """
    set_for_joining(os.environ)
    import ray
    from ray.exceptions import GetTimeoutError, RayError, RayTaskError

    from ai3ray.executor.ray.actors import NAMESPACE, create_core
    from ai3ray.executor.ray.engine import RayEngine

    try:
        ray.init(address=address, namespace=NAMESPACE, logging_level=logging.ERROR, log_to_driver=False)
    except (OSError, RuntimeError, ValueError, TimeoutError) as error:
        raise EngineError(f"the Ray cluster at {address} cannot be joined: {error}") from error
    core = create_core(settings, detached=True)
    try:
        ray.get(core.claim.remote(settings.home), timeout=JOIN_S)
    except RayTaskError as error:
        if isinstance(error.cause, Ai3Error):
            raise error.cause from None
        raise EngineError(f"the cluster's core failed: {error}") from error
    except GetTimeoutError as error:
        raise EngineError(f"the cluster's core did not come up within {JOIN_S:g} s") from error
    except RayError as error:
        raise EngineError(f"the cluster's core failed: {error}") from error
    return RayEngine(core)


def leave() -> None:
    """Disconnect; the core and its runs continue."""
    import ray

    ray.shutdown()
