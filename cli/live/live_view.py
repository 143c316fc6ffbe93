"""The live view, drawn by a thread at most ten times a second."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.text import Text

from ai3ray.domain.events import Event, Warned, utc_now
from ai3ray.domain.result import RunResult
from ai3ray.report.format import one_line

from .frame import ASCII, UNICODE, Canvas, frame
from .live_run import LiveRun
from .region import Region

REDRAW_S = 0.25
"""Seconds between two frames without an event."""
LEAST_S = 0.1
"""Fewest seconds between two frames."""


class LiveView:
    """A run's tree, redrawn while entered; its last frame stays."""

    def __init__(self, console: Console, clock: Callable[[], str] = utc_now) -> None:
        self._region = Region(console)
        self._clock = clock
        # Other encodings, as with LANG=C, lack the glyphs.
        self._glyphs = UNICODE if console.encoding.lower().startswith("utf") else ASCII
        self._run = LiveRun()
        self._phase = 0
        self._lock = threading.Lock()
        self._changed, self._stopped = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._redraw, name="ai3-live", daemon=True)

    def __enter__(self) -> Self:
        self._draw()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stopped.set()
        self._changed.set()
        self._thread.join()
        self._draw(final=True)
        self._region.leave()

    def event(self, event: Event) -> None:
        """Apply an event; print a warning above the tree."""
        with self._lock:
            self._run.event(event)
        if isinstance(event, Warned):
            self._above(Text(f"warning: {one_line(event.message)}", style="yellow"))
        self._changed.set()

    def note(self, text: str) -> None:
        """Write a line above the tree."""
        self._above(Text(f"ai3: {one_line(text)}", style="dim"))

    def ended(self, result: RunResult) -> None:
        """Apply the finished run, with all its figures."""
        with self._lock:
            self._run.ended(result)

    def _redraw(self) -> None:
        while not self._stopped.is_set():
            self._changed.wait(None if self._run.state.terminal else REDRAW_S)
            self._changed.clear()
            if not self._stopped.is_set():
                self._phase += 1
                self._draw()
            self._stopped.wait(LEAST_S)

    def _draw(self, *, final: bool = False) -> None:
        with self._lock:
            width, height = self._region.size()
            phase = None if final or self._run.state.terminal else self._phase
            # The last column stays free: a terminal that is about to wrap erases the wrong cell.
            canvas = Canvas(max(1, width - 1), height, self._clock(), phase, final, self._glyphs)
            self._region.draw(frame(self._run, canvas), width=width)

    def _above(self, line: Text) -> None:
        with self._lock:
            self._region.above(line, width=self._region.size()[0])
