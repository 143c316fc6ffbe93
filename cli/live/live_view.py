"""The live view: a thread that draws the run when something has changed, at most ten times a second."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.text import Text

from ai3ray.domain.events import Event, Warned, utc_now
from ai3ray.report.format import one_line

from .frame import ASCII, UNICODE, Canvas, frame
from .live_run import LiveRun
from .region import Region

if TYPE_CHECKING:
    from rich.console import Console

    from ai3ray.domain.result import RunResult

BEAT_S = 0.25
"""Seconds between two pictures of a run that goes on: its clock and its spinner move."""
LEAST_S = 0.1
"""Seconds between two pictures at least."""


class LiveView:
    """A run's tree, alive while entered; its last picture stays.

    Args:
        console: the terminal.
        clock: tells the time as a UTC time stamp.
    """

    def __init__(self, console: Console, clock: Callable[[], str] = utc_now) -> None:
        self._region = Region(console)
        self._clock = clock
        # Encodings without the glyphs, such as that of LANG=C, get plain ones.
        self._glyphs = UNICODE if console.encoding.lower().startswith("utf") else ASCII
        self._run = LiveRun()
        self._beat = 0
        self._lock = threading.Lock()
        self._changed, self._stopped = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._draw_on, name="ai3-live", daemon=True)

    def __enter__(self) -> Self:
        self._draw()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stopped.set()
        self._changed.set()
        self._thread.join()
        self._draw(stays=True)
        self._region.leave()

    def event(self, event: Event) -> None:
        """Take in an event; warnings stay above the tree."""
        with self._lock:
            self._run.event(event)
        if isinstance(event, Warned):
            self._above(Text(f"warning: {one_line(event.message)}", style="yellow"))
        self._changed.set()

    def note(self, text: str) -> None:
        """Write a line above the tree."""
        self._above(Text(f"ai3: {one_line(text)}", style="dim"))

    def ended(self, result: RunResult) -> None:
        """The run's end with all its figures."""
        with self._lock:
            self._run.ended(result)

    def _draw_on(self) -> None:
        while not self._stopped.is_set():
            self._changed.wait(None if self._run.state.terminal else BEAT_S)
            self._changed.clear()
            if not self._stopped.is_set():
                self._beat += 1
                self._draw()
            self._stopped.wait(LEAST_S)

    def _draw(self, *, stays: bool = False) -> None:
        with self._lock:
            width, height = self._region.size()
            beat = None if stays or self._run.state.terminal else self._beat
            # The last column stays free: a terminal that is about to wrap erases the wrong cell.
            canvas = Canvas(max(1, width - 1), height, self._clock(), beat, stays, self._glyphs)
            self._region.draw(frame(self._run, canvas), width=width)

    def _above(self, line: Text) -> None:
        with self._lock:
            self._region.above(line, width=self._region.size()[0])
