"""The engine as requests see it: they wait while it boots, and are refused while it stops."""

from __future__ import annotations

import asyncio
from typing import Literal

from ai3ray.errors import Ai3Error, EngineError, HeadUnavailable
from ai3ray.executor.port import Engine

GateStatus = Literal["starting", "ok", "failed", "stopping"]


class EngineGate:
    """Access to one engine from boot to stop.

    Args:
        engine: an engine that is up already; without one, `open` or `fail` decides later.
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
        """The state of the engine."""
        if self.closing.is_set():
            return "stopping"
        if self._error is not None:
            return "failed"
        return "ok" if self._engine is not None else "starting"

    @property
    def opened(self) -> bool:
        """True once the engine has been up, also while it stops."""
        return self._engine is not None

    @property
    def ready(self) -> Engine | None:
        """The engine while it is up."""
        return self._engine if self.status == "ok" else None

    def open(self, engine: Engine) -> None:
        """Hand over the booted engine."""
        self._engine = engine
        self._decided.set()

    def fail(self, error: Exception) -> None:
        """Report that the engine could not boot."""
        self._error = error
        self._decided.set()

    def close(self) -> None:
        """Refuse new work and end the streams: the engine is about to stop."""
        self.closing.set()
        self._decided.set()

    def touch(self) -> None:
        """Restart the idle clock: a run was requested."""
        self.used_at = asyncio.get_running_loop().time()

    async def engine(self) -> Engine:
        """Wait for the engine and return it.

        Raises:
            HeadUnavailable: it is stopping.
            Ai3Error: it could not boot.
        """
        await self._decided.wait()
        if isinstance(self._error, Ai3Error):
            raise self._error
        if self._error is not None:
            raise EngineError(f"the engine did not start: {self._error}") from self._error
        if self.closing.is_set() or self._engine is None:
            raise HeadUnavailable("the head is stopping")
        return self._engine
