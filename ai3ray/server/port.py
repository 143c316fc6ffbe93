"""What a host of the app needs of whoever makes engines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ai3ray.client.head_paths import HeadPaths
from ai3ray.domain.serving import ServeRequest
from ai3ray.executor.port import Engine
from ai3ray.settings.model import Settings


class ClosableEngine(Engine, Protocol):
    """An engine in Ray's actors."""

    async def aclose(self) -> None:
        """Leave the runs resumable and close the journal."""
        ...


class LocalRay(Protocol):
    """A local Ray with the engine on it."""

    @property
    def engine(self) -> ClosableEngine:
        """The engine; its methods may be awaited in any event loop of this process."""
        ...

    @property
    def processes(self) -> Sequence[int]:
        """Pids without which Ray cannot go on: gcs and raylet."""
        ...

    def shutdown(self) -> None:
        """End Ray; called in the thread that booted it, after the engine was closed."""
        ...


class TcpServer(Protocol):
    """Serves the app on TCP, over the engine of this process's Ray."""

    def open(self, request: ServeRequest) -> str:
        """Block until it serves; returns its URL."""
        ...

    def close(self) -> None:
        """Block until it is gone; does no harm when it is not there."""
        ...


class RayBoot(Protocol):
    """Boots a local Ray."""

    def __call__(self, settings: Settings, *, temp_dir: Path) -> LocalRay:
        """Block until Ray and the engine are up. Ray keeps its session in `temp_dir`."""
        ...


@dataclass(frozen=True, slots=True)
class HostedEngine:
    """An engine while its host is up."""

    engine: Engine
    """The engine."""
    processes: Sequence[int] = ()
    """Pids whose death ends the engine."""
    tcp: TcpServer | None = None
    """What can serve on TCP beside the socket."""


Host = AbstractAsyncContextManager[HostedEngine]
"""Entering it boots an engine, leaving it ends the engine."""

HostMaker = Callable[[HeadPaths], Host]
"""Makes the host of a home; called once the home is ours."""
