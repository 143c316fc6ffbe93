"""The core as a Ray actor."""

from __future__ import annotations

import asyncio
import gc
import os
from pathlib import Path
from platform import node
from typing import Any

import ray
from ray.actor import ActorHandle

from ai3ray.errors import MissingKey, SettingsError
from ai3ray.executor.build import build_core
from ai3ray.executor.core import Core
from ai3ray.executor.port import Granted, Sync, Synced
from ai3ray.executor.ray.runners import ACTOR_OPTIONS, RayRunnerPool
from ai3ray.settings.load import merged_env
from ai3ray.settings.model import Settings

NAMESPACE = "ai3"
CORE_NAME = "ai3-core"
_YOUNG_OBJECTS = 50_000
"""Net new objects between garbage collections."""
_HEAD_NODE = "node:__internal_head__"
"""Only the Ray head node has this resource."""


class CoreHost:
    """The core in its own process; the first call starts it, also after Ray has restarted it.

    It owns the runners, so that none makes calls after its end. Ray's retries are off, since they would pay twice.
    """

    def __init__(self, settings: Settings, *, cluster: bool = False) -> None:
        self._settings = settings
        self._cluster = cluster
        self._starting: asyncio.Task[Core] | None = None

    async def ready(self) -> None:
        """Return once the journal is open."""
        await self._core()

    async def claim(self, home: Path) -> None:
        """Return once the journal is open. Raises SettingsError if the core owns another home."""
        if home != self._settings.home:
            own = self._settings.home
            raise SettingsError(
                f"the core of this Ray serves {own}, not {home}; set AI3_HOME={own}, or use another Ray"
            )
        await self._core()

    async def pids(self) -> list[int]:
        """Return core's and runners' process ids."""
        core = await self._core()
        runner_pool = core.runner_pool
        assert isinstance(runner_pool, RayRunnerPool)
        return [os.getpid(), *(await runner_pool.pids())]

    async def sync(self, sync: Sync) -> Synced:
        """Handle a runner's messages."""
        return await (await self._core()).sync(sync)

    async def grants(self, runner_id: str) -> Granted:
        """Wait for a runner's answers."""
        return await (await self._core()).grants(runner_id)

    async def engine(self, method: str, args: tuple[Any, ...], fields: dict[str, Any]) -> Any:
        """Call a method of `Engine`."""
        try:
            return await getattr(await self._core(), method)(*args, **fields)
        except MissingKey as error:
            if not self._cluster:
                raise
            # The caller might look for the key in its own environment.
            raise MissingKey(f"{error} in the environment of node {node()}", error.param) from None

    async def aclose(self) -> None:
        """Close the journal; runs can be resumed."""
        if self._starting is not None:
            core = await self._starting
            await core.aclose()
            if isinstance(core.runner_pool, RayRunnerPool):
                await core.runner_pool.aclose()

    async def _core(self) -> Core:
        if self._starting is None or (self._starting.done() and self._starting.exception() is not None):
            self._starting = asyncio.create_task(self._start(), name="core-start")
        return await asyncio.shield(self._starting)

    async def _start(self) -> Core:
        # On a cluster, this node's `.env` files are not in its environment yet.
        core = await build_core(self._settings, merged_env())
        core.start(RayRunnerPool(self._settings, ray.get_runtime_context().current_actor, core.runner_died))
        collect_rarely()
        return core


def collect_rarely() -> None:
    """Run the garbage collector less often, and without the present objects.

    At 1,000 leases a second it takes 2 % of the time in pauses up to 51 ms, instead of 16 % and 105 ms.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, *gc.get_threshold()[1:])


def create_core(settings: Settings, name: str = CORE_NAME, *, detached: bool = False) -> ActorHandle[Any]:
    """Return this Ray's core, or a new one; if `detached`, as on a cluster, it outlives this process."""
    life: dict[str, Any] = {}
    if detached:  # on the node with the resource `journal`, else on the Ray head node
        resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        node_resource = "journal" if "journal" in resources else _HEAD_NODE
        life = {"lifetime": "detached", "resources": {node_resource: 0.001}}
    actor: Any = ray.remote(CoreHost).options(
        name=name, namespace=NAMESPACE, get_if_exists=True, **life, **ACTOR_OPTIONS
    )
    handle: ActorHandle[Any] = actor.remote(settings, cluster=detached)
    return handle
