"""The engine as requests see it: they wait here while it boots, and learn here that it is leaving."""

from __future__ import annotations

import asyncio
from typing import Literal

from ai3ray.errors import Ai3Error, EngineError, HeadUnavailable
from ai3ray.executor.port import Engine

GateStatus = Literal["starting", "ok", "failed", "stopping"]


class EngineGate:
    """One engine's way from booting to leaving.

    Args:
        engine: an engine that is up already; else `open` or `fail` tells later.
    """

    def __init__(self, engine: Engine | None = None) -> None:
        self._engine = engine
        self._error: Exception | None = None
        self._decided = asyncio.Event()
        self.closing = asyncio.Event()
        self.used_at = 0.0
        if engine is not None:
            self._decided.set()

    @property
    def status(self) -> GateStatus:
        """How far the engine is."""
        if self.closing.is_set():
            return "stopping"
        if self._error is not None:
            return "failed"
        return "ok" if self._engine is not None else "starting"

    @property
    def opened(self) -> bool:
        """Whether the engine has been up."""
        return self._engine is not None

    @property
    def ready(self) -> Engine | None:
        """The engine, if it is up."""
        return self._engine if self.status == "ok" else None

    def open(self, engine: Engine) -> None:
        """The engine is up."""
        self._engine = engine
        self._decided.set()

    def fail(self, error: Exception) -> None:
        """The engine could not be booted."""
        self._error = error
        self._decided.set()

    def close(self) -> None:
        """The engine is about to leave: nothing new is begun, whoever follows a run is let go."""
        self.closing.set()
        self._decided.set()

    def touch(self) -> None:
        """A run was asked for; the idle clock starts anew."""
        self.used_at = asyncio.get_running_loop().time()

    async def engine(self) -> Engine:
        """The engine; waits while it boots.

        Raises:
            HeadUnavailable: it is leaving.
            Ai3Error: it could not be booted.
        """
        await self._decided.wait()
        if isinstance(self._error, Ai3Error):
            raise self._error
        if self._error is not None:
            raise EngineError(f"the engine did not start: {self._error}") from self._error
        if self.closing.is_set() or self._engine is None:
            raise HeadUnavailable("the head is stopping")
        return self._engine
