"""Ctrl-C while a run is followed: the first cancels, the second leaves."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from types import FrameType, TracebackType
from typing import Any, Self

from .streams import is_terminal

LEAVE = 130
_SHOW_CURSOR = "\x1b[?25h"


class Interrupts:
    """While entered, the first SIGINT or SIGTERM cancels this task and the second ends the process.

    `asyncio.run` alone raises KeyboardInterrupt only after the task has ended, and does not handle SIGTERM.
    """

    def __init__(self) -> None:
        self.requested = False  # set by the first signal
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def handled(self) -> None:
        """Let the task await again after its cancellation."""
        if self._task is not None:
            self._task.uncancel()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        if self.requested or self._task is None:
            if is_terminal(sys.stderr):  # a spinner hides the cursor, and its own exit does not run
                os.write(sys.stderr.fileno(), _SHOW_CURSOR.encode())
            os._exit(LEAVE)
        self.requested = True
        self._loop.call_soon_threadsafe(self._task.cancel)


def outlive_terminal() -> None:
    """Ignore SIGHUP: a run in this process goes on when its terminal dies."""
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
