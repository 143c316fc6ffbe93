"""The redrawn lines at the bottom of the terminal."""

from __future__ import annotations

import os
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
_TO_LINE_END, _TO_SCREEN_END = "\x1b[K", "\x1b[J"


class Region:
    """Draws lines over the ones before, in one write, and only when they differ.

    On a terminal that has become narrower the old lines have wrapped; they are counted at the new width.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._drawn = ""
        self._cells: list[int] = []

    def size(self) -> tuple[int, int]:
        """Return the terminal's cells per line and its lines."""
        try:
            width, height = os.get_terminal_size(self._console.file.fileno())
        except (OSError, ValueError):  # the terminal has died
            return 80, 24
        return width or 80, height or 24  # a terminal without a size, as on a serial line

    def draw(self, lines: Sequence[Text], *, width: int) -> None:
        """Replace the lines that are shown."""
        text = self._rendered(lines)
        if text == self._drawn and max(self._cells, default=0) <= width:
            return
        body = text.replace("\n", f"{_TO_LINE_END}\n")
        self._write(f"{HIDE_CURSOR}{self._home(width)}{body}{_TO_LINE_END}{_TO_SCREEN_END}")
        self._drawn, self._cells = text, [line.cell_len for line in lines]

    def above(self, line: Text, *, width: int) -> None:
        """Write a permanent line above the region."""
        text = self._rendered([line])
        drawn = self._drawn.replace("\n", f"{_TO_LINE_END}\n")
        self._write(f"{self._home(width)}{_TO_SCREEN_END}{text}\n{drawn}")

    def leave(self) -> None:
        """Keep the drawn lines and go below them."""
        self._write(("\n" if self._drawn else "") + SHOW_CURSOR)
        self._drawn, self._cells = "", []

    def _home(self, width: int) -> str:
        """Return the codes that move to the first line."""
        rows = sum(max(1, -(-cells // width)) for cells in self._cells)
        return "\r" + (f"\x1b[{rows - 1}A" if rows > 1 else "")

    def _rendered(self, lines: Sequence[Text]) -> str:
        with self._console.capture() as capture:
            self._console.print(Text("\n").join(lines), no_wrap=True, overflow="ignore", crop=False, end="")
        return capture.get()

    def _write(self, text: str) -> None:
        self._console.file.write(text)
