"""Ports between the hosts of the app and the makers of engines."""

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
    """An engine that its host closes."""

    async def aclose(self) -> None:
        """Close the journal; the runs stay resumable."""
        ...


class LocalRay(Protocol):
    """A local Ray with the engine in it."""

    @property
    def engine(self) -> ClosableEngine:
        """Its methods may be awaited in any event loop of this process."""
        ...

    @property
    def processes(self) -> Sequence[int]:
        """The pids of gcs and raylet; Ray ends with either."""
        ...

    def shutdown(self) -> None:
        """End Ray, in the thread that booted it, after the engine is closed."""
        ...


class TcpServer(Protocol):
    """Serves the app on TCP, over the engine in this process's Ray."""

    def open(self, request: ServeRequest) -> str:
        """Block until it serves; return its URL."""
        ...

    def close(self) -> None:
        """Block until it has stopped; do nothing if it is not open."""
        ...


class RayBoot(Protocol):
    """Boots a local Ray."""

    def __call__(self, settings: Settings, *, temp_dir: Path) -> LocalRay:
        """Block until Ray and the engine are up. Ray's session folder is `temp_dir`."""
        ...


@dataclass(frozen=True, slots=True)
class HostedEngine:
    """An engine while its host is up."""

    engine: Engine
    processes: Sequence[int] = ()
    """Pids; the engine ends with any of them."""
    tcp: TcpServer | None = None
    """Serves on TCP beside the socket, if the host can."""


Host = AbstractAsyncContextManager[HostedEngine]
"""Boots an engine on entry and ends it on exit."""

HostMaker = Callable[[HeadPaths], Host]
"""Makes the host of a home; called when the home's lock is held."""
