"""stdout and stderr: the answer on one, all else on the other, and nothing that drives the terminal."""

from __future__ import annotations

import errno
import os
import sys
from typing import IO, TYPE_CHECKING, TextIO, cast

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

PIPE_WIDTH = 10_000  # a table on a pipe is as wide as its content

# Control characters as pictures of themselves, so that no model output can move the cursor, rename
# the window or write to the clipboard. C1 controls (0x80 to 0x9f) have no pictures.
_GONE = {errno.EPIPE, errno.EIO}  # the reader left; the terminal died


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person reads this stream."""
    return stream is not None and not stream.closed and stream.isatty()


def configure_streams() -> None:
    """Let no character that a model may write end the command; what is piped is UTF-8."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is None:  # closed, or replaced by a test
            continue
        if is_terminal(stream):
            reconfigure(errors="replace")
        else:
            reconfigure(encoding="utf-8", errors="replace")


def write_stdout(text: str) -> None:
    """Write to stdout at once. A reader that has left is no error; a full disk is.

    Raises:
        OSError: the text could not be written.
    """
    _write(sys.stdout, text)


def print_stderr(text: str) -> None:
    """Write a line to stderr at once."""
    _write(sys.stderr, f"{text}\n")


def console(stream: TextIO, *, width: int | None = None) -> Console:
    """A Rich console for this stream: NO_COLOR and the terminal's width count, a pipe has no width."""
    from rich.console import Console

    terminal = is_terminal(stream)
    return Console(
        file=cast("IO[str]", _PipeSafeStream(stream)),
        force_terminal=terminal,
        color_system=None if os.environ.get("NO_COLOR") else "auto",  # Rich alone would still write bold and dim
        width=width or (None if terminal else PIPE_WIDTH),
        highlight=False,
        emoji=False,
        markup=False,
    )


def render_text(renderable: RenderableType, *, width: int | None = None) -> str:
    """What Rich makes of it for stdout."""
    target = console(sys.stdout, width=width)
    with target.capture() as capture:
        target.print(renderable)
    lines = capture.get().splitlines()
    return "".join(f"{line.rstrip()}\n" for line in lines)


class _PipeSafeStream:
    """A stream that outlives its reader, for Rich, whose spinner writes from a thread of its own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @property
    def encoding(self) -> str:
        """Decides whether Rich draws with ASCII alone."""
        return self._stream.encoding

    def write(self, text: str) -> int:
        """Write it at once; drop it when nobody reads."""
        _write(self._stream, text)
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""

    def isatty(self) -> bool:
        """Whether a person reads."""
        return is_terminal(self._stream)

    def fileno(self) -> int:
        """The descriptor, for the terminal's size."""
        return self._stream.fileno()


def _write(stream: TextIO | None, text: str) -> None:
    if stream is None or stream.closed:
        return
    try:
        stream.write(text)
        stream.flush()
    except OSError as error:
        if error.errno not in _GONE:
            raise
        _mute(stream)


def _mute(stream: TextIO) -> None:
    """Send the rest nowhere, so that the interpreter's last flush stays quiet too."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, stream.fileno())
    finally:
        os.close(nowhere)
