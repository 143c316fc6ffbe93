"""The views of a run on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from ai3ray.domain.events import Event, Warned
from ai3ray.domain.result import RunResult
from ai3ray.report.format import one_line

from ..render.event_lines import EventLines
from ..streams import console, is_terminal, print_stderr
from .status_line import StatusLine

if TYPE_CHECKING:
    from rich.status import Status


class Progress(Protocol):
    """Shows a run on stderr."""

    def event(self, event: Event) -> None:
        """Show an event."""
        ...

    def note(self, text: str) -> None:
        """Print a line of the command's own."""
        ...

    def ended(self, result: RunResult) -> None:
        """Show the finished run."""
        ...


@contextmanager
def progress(*, full: bool) -> Iterator[Progress]:
    """Choose a view: tree (`full`) or spinner on a terminal, event lines (`full`) or warnings elsewhere."""
    if not is_terminal(sys.stderr):
        yield PlainLines() if full else WarningsOnly()
        return
    target = console(sys.stderr)
    if target.is_dumb_terminal:
        yield PlainLines() if full else WarningsOnly()
    elif full:
        from .live_view import LiveView  # late: other views do without Rich

        with LiveView(target) as view:
            yield view
    else:
        with target.status("starting", spinner="dots") as status:
            yield Spinner(status)


class WarningsOnly:
    """Prints only warnings."""

    def event(self, event: Event) -> None:
        """Print a warning."""
        if isinstance(event, Warned):
            self.note(f"warning: {event.message}")

    def note(self, text: str) -> None:
        """Print a line."""
        print_stderr(f"ai3: {one_line(text)}")

    def ended(self, result: RunResult) -> None:
        """Print nothing."""


class PlainLines:
    """Prints a line per event, for logs."""

    def __init__(self) -> None:
        self._lines = EventLines()

    def event(self, event: Event) -> None:
        """Print the event."""
        line = self._lines.line(event)
        if line:
            print_stderr(line)

    def note(self, text: str) -> None:
        """Print a line."""
        print_stderr(f"ai3: {one_line(text)}")

    def ended(self, result: RunResult) -> None:
        """Print nothing."""


class Spinner:
    """Shows the progress in one changing line."""

    def __init__(self, status: Status) -> None:
        self._status = status
        self._line = StatusLine()

    def event(self, event: Event) -> None:
        """Change the line; print a warning above it."""
        if isinstance(event, Warned):
            self.note(f"warning: {event.message}")
        self._status.update(self._line.after(event))

    def note(self, text: str) -> None:
        """Print a line above the spinner."""
        self._status.console.print(f"ai3: {one_line(text)}")

    def ended(self, result: RunResult) -> None:
        """Print nothing."""
