"""stdout for the answer, stderr for all else."""

from __future__ import annotations

import errno
import os
import sys
from typing import IO, TYPE_CHECKING, TextIO, cast

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

PIPE_WIDTH = 10_000  # a table on a pipe is as wide as its content

_READER_GONE = {errno.EPIPE, errno.EIO}  # a closed pipe; a closed terminal


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether the stream is an open terminal."""
    return stream is not None and not stream.closed and stream.isatty()


def configure_streams() -> None:
    """Replace what a stream cannot encode; pipes are UTF-8."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is None:  # closed, or replaced by a test
            continue
        if is_terminal(stream):
            reconfigure(errors="replace")
        else:
            reconfigure(encoding="utf-8", errors="replace")


def write_stdout(text: str) -> None:
    """Write to stdout at once; ignore a closed pipe, raise OSError for a full disk."""
    _write(sys.stdout, text)


def print_stderr(line: str) -> None:
    """Write a line to stderr at once."""
    _write(sys.stderr, f"{line}\n")


def console(stream: TextIO, *, width: int | None = None) -> Console:
    """Return a Rich console for the stream; NO_COLOR takes its colour."""
    from rich.console import Console  # late: a run without a terminal does without Rich

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
    """Return what Rich would write, without trailing blanks."""
    target = console(sys.stdout, width=width)
    with target.capture() as capture:
        target.print(renderable)
    lines = capture.get().splitlines()
    return "".join(f"{line.rstrip()}\n" for line in lines)


class _PipeSafeStream:
    """A stream for Rich that ignores a closed pipe."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @property
    def encoding(self) -> str:
        """The stream's encoding."""
        return self._stream.encoding

    def write(self, text: str) -> int:
        """Write the text at once."""
        _write(self._stream, text)
        return len(text)

    def flush(self) -> None:
        """Do nothing: `write` flushes."""

    def isatty(self) -> bool:
        """Return whether the stream is a terminal."""
        return is_terminal(self._stream)

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._stream.fileno()


def _write(stream: TextIO | None, text: str) -> None:
    if stream is None or stream.closed:
        return
    try:
        stream.write(text)
        stream.flush()
    except OSError as error:
        if error.errno not in _READER_GONE:
            raise
        # The rest goes to /dev/null, so that the interpreter's last flush does not fail either.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, stream.fileno())
        finally:
            os.close(nowhere)
