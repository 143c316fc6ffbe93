"""What stderr shows while a run goes on: a live tree, a line per event, one line that changes, or only warnings."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from ai3ray.domain.events import Event, Warned
from ai3ray.report.format import one_line

from ..render.event_lines import EventLines
from ..streams import console, is_terminal, print_stderr
from .status_line import StatusLine

if TYPE_CHECKING:
    from rich.status import Status

    from ai3ray.domain.result import RunResult


class Progress(Protocol):
    """Somebody who watches a run."""

    def event(self, event: Event) -> None:
        """One more event."""
        ...

    def note(self, text: str) -> None:
        """A remark of the command's own."""
        ...

    def ended(self, result: RunResult) -> None:
        """The run's end with all its figures; the last call, when there is one."""
        ...


@contextmanager
def progress(*, full: bool) -> Iterator[Progress]:
    """What fits: the live tree or a spinner for a person, a line per event or next to nothing for a pipe.

    Args:
        full: all that happens, not only how far the run is.
    """
    if not is_terminal(sys.stderr):
        yield PlainLines() if full else WarningsOnly()
        return
    target = console(sys.stderr)
    if target.is_dumb_terminal:
        yield PlainLines() if full else WarningsOnly()
    elif full:
        from .live_view import LiveView

        with LiveView(target) as view:
            yield view
    else:
        with target.status("starting", spinner="dots") as status:
            yield Spinner(status)


class WarningsOnly:
    """Only what the reader should know."""

    def event(self, event: Event) -> None:
        """Write warnings."""
        if isinstance(event, Warned):
            self.note(f"warning: {event.message}")

    def note(self, text: str) -> None:
        """Write a line."""
        print_stderr(f"ai3: {one_line(text)}")

    def ended(self, result: RunResult) -> None:
        """Nothing more is said."""


class PlainLines:
    """A line per event, for logs."""

    def __init__(self) -> None:
        self._lines = EventLines()

    def event(self, event: Event) -> None:
        """Write the event."""
        line = self._lines.line(event)
        if line:
            print_stderr(line.plain)

    def note(self, text: str) -> None:
        """Write a line."""
        print_stderr(f"ai3: {one_line(text)}")

    def ended(self, result: RunResult) -> None:
        """Nothing more is said."""


class Spinner:
    """One line that tells how far the run is."""

    def __init__(self, status: Status) -> None:
        self._status = status
        self._line = StatusLine()

    def event(self, event: Event) -> None:
        """Change the line; warnings stay above it."""
        if isinstance(event, Warned):
            self.note(f"warning: {event.message}")
        self._status.update(self._line.after(event))

    def note(self, text: str) -> None:
        """Write a line above the spinner."""
        self._status.console.print(f"ai3: {one_line(text)}")

    def ended(self, result: RunResult) -> None:
        """Nothing more is said."""
