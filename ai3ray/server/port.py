"""Ports between the app's hosts and their engines."""

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
        """The engine, with methods for any event loop of this process."""
        ...

    @property
    def processes(self) -> Sequence[int]:
        """The pids of gcs and raylet; Ray ends when either ends."""
        ...

    def shutdown(self) -> None:
        """End Ray after the engine is closed; call it in the thread that booted Ray."""
        ...


class TcpServer(Protocol):
    """Serves the app on TCP, over the engine in this process's Ray."""

    def open(self, request: ServeRequest) -> str:
        """Block until the server accepts requests, and return its URL."""
        ...

    def close(self) -> None:
        """Block until the server has stopped; do nothing if it is not open."""
        ...


class RayBoot(Protocol):
    """Boots a local Ray."""

    def __call__(self, settings: Settings, *, temp_dir: Path) -> LocalRay:
        """Block until Ray, with its sessions in `temp_dir`, and the engine are running."""
        ...


@dataclass(frozen=True, slots=True)
class HostedEngine:
    """A running engine and what its host offers with it."""

    engine: Engine
    processes: Sequence[int] = ()
    """Pids; the engine ends when any of them ends."""
    tcp: TcpServer | None = None
    """Serves on TCP as well as on the socket; None if the host cannot."""


Host = AbstractAsyncContextManager[HostedEngine]
"""Boots an engine on entry and ends it on exit."""

HostMaker = Callable[[HeadPaths], Host]
"""Makes the host of a home; called while the home's lock is held."""
