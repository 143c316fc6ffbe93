"""The engine's classes as Ray actors: one core, its runners, and the seams between them as actor calls.

The core owns its runners: when its process dies they end with it, so no zombie keeps paying; Ray starts
the core anew, and it goes on from the journal. Ray's own retries stay off, they would pay twice.
"""

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
"""New objects, less those that are gone, after which the collector looks at them."""
_HEAD_NODE = "node:__internal_head__"
"""The resource that Ray gives to the head node alone."""


class CoreHost:
    """The core in its own process. It starts itself at the first call, and so again after a restart."""

    def __init__(self, settings: Settings, *, cluster: bool = False) -> None:
        self._settings = settings
        self._cluster = cluster
        self._starting: asyncio.Task[Core] | None = None

    async def ready(self) -> None:
        """Return once the journal is open and the runners are on their way."""
        await self._core()

    async def claim(self, home: Path) -> None:
        """As `ready`, for a caller who means the core of this home.

        Raises:
            SettingsError: it is another home's.
        """
        if home != self._settings.home:
            raise SettingsError(f"the core of this Ray owns {self._settings.home}, not {home}: use one AI3_HOME")
        await self._core()

    async def pids(self) -> list[int]:
        """Process ids of the core and its runners, once all are up."""
        core = await self._core()
        runner_pool = core.runner_pool
        assert isinstance(runner_pool, RayRunnerPool)
        return [os.getpid(), *(await runner_pool.pids())]

    async def sync(self, sync: Sync) -> Synced:
        """See `CorePort.sync`."""
        return await (await self._core()).sync(sync)

    async def grants(self, runner_id: str) -> Granted:
        """See `CorePort.grants`."""
        return await (await self._core()).grants(runner_id)

    async def engine(self, method: str, args: tuple[Any, ...], fields: dict[str, Any]) -> Any:
        """One of the `Engine` port's methods by name."""
        try:
            return await getattr(await self._core(), method)(*args, **fields)
        except MissingKey as error:
            if not self._cluster:
                raise
            # Whoever asks sits elsewhere: their own environment is not the one that counts.
            raise MissingKey(f"{error} in the environment of node {node()}", error.param) from None

    async def aclose(self) -> None:
        """Leave the runs resumable and close the journal."""
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
        # On a cluster nobody has merged the `.env` files of this node into its environment.
        core = await build_core(self._settings, merged_env())
        core.start(RayRunnerPool(self._settings, ray.get_runtime_context().current_actor, core.runner_died))
        collect_rarely()
        return core


def collect_rarely() -> None:
    """Let the garbage collector of this process leave alone what is there, and look at the rest less often.

    What a decision needs for a moment is let go by its reference counts. Measured at a thousand leases a second:
    collecting took 16 % of the time, with pauses of 105 ms; like this it takes 2 %, with pauses of 51 ms at most.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, *gc.get_threshold()[1:])


def create_core(settings: Settings, name: str = CORE_NAME, *, detached: bool = False) -> ActorHandle[Any]:
    """The core actor of this Ray, made if it is not there.

    Args:
        settings: what it is made with; one that is there keeps its own.
        name: its name in the namespace `ai3`.
        detached: whether it outlives the process that makes it: on clusters, where that is one replica of many.
    """
    life = {"lifetime": "detached", "resources": _home_node()} if detached else {}
    actor: Any = ray.remote(CoreHost).options(
        name=name, namespace=NAMESPACE, get_if_exists=True, **life, **ACTOR_OPTIONS
    )
    handle: ActorHandle[Any] = actor.remote(settings, cluster=detached)
    return handle


def _home_node() -> dict[str, float]:
    """Binds the core to the node that has its journal's file: the one with the resource `journal`, else the head."""
    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return {"journal" if "journal" in resources else _HEAD_NODE: 0.001}
