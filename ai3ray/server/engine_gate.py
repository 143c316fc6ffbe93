"""A gate in front of the engine while it boots and stops."""

from __future__ import annotations

import asyncio
from typing import Literal

from ai3ray.errors import Ai3Error, EngineError, HeadUnavailable
from ai3ray.executor.port import Engine

GateStatus = Literal["starting", "ok", "failed", "stopping"]


class EngineGate:
    """Holds requests while the engine boots, and refuses them while it stops.

    Args:
        engine: a running engine; without one, call `open` or `fail` later.
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
        """True once the engine has been running, even while it stops."""
        return self._engine is not None

    @property
    def ready(self) -> Engine | None:
        """The engine while it is running."""
        return self._engine if self.status == "ok" else None

    def open(self, engine: Engine) -> None:
        """Let requests through to the booted engine."""
        self._engine = engine
        self._decided.set()

    def fail(self, error: Exception) -> None:
        """Refuse requests with the error of the boot."""
        self._error = error
        self._decided.set()

    def close(self) -> None:
        """Refuse new requests and end the streams before the engine stops."""
        self.closing.set()
        self._decided.set()

    def touch(self) -> None:
        """Restart the idle clock when a run is requested."""
        self.used_at = asyncio.get_running_loop().time()

    async def engine(self) -> Engine:
        """Wait for the engine and return it.

        Raises:
            HeadUnavailable: the engine is stopping.
            Ai3Error: the engine could not boot.
        """
        await self._decided.wait()
        if isinstance(self._error, Ai3Error):
            raise self._error
        if self._error is not None:
            raise EngineError(f"the engine did not start: {self._error}") from self._error
        if self.closing.is_set() or self._engine is None:
            raise HeadUnavailable("the head is stopping; try again in a few seconds")
        return self._engine
