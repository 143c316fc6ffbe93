"""The region of the terminal that is drawn over, on a terminal made of lines."""

import io
import re

import pytest
from rich.console import Console
from rich.text import Text

from cli.live.region import Region


class Screen:
    """As much of a terminal as the region uses; lines that are too long are wrapped."""

    def __init__(self, width):
        self.width, self.rows, self.row, self.column = width, [""], 0, 0

    def feed(self, text):
        for piece in re.findall(r"\x1b\[\??\d*[A-Za-z]|\r|\n|[^\x1b\r\n]", text):
            self._take(piece)

    def _take(self, piece):
        if piece == "\n":
            self._down()
        elif piece == "\r":
            self.column = 0
        elif piece.endswith("A") and piece[0] == "\x1b":
            self.row = max(0, self.row - int(piece[2:-1]))
        elif piece in ("\x1b[K", "\x1b[J"):
            self.rows[self.row] = self.rows[self.row][: self.column]
            if piece == "\x1b[J":
                del self.rows[self.row + 1 :]
        elif piece[0] != "\x1b":
            self._put(piece)

    def _down(self):
        self.row, self.column = self.row + 1, 0
        if self.row == len(self.rows):
            self.rows.append("")

    def _put(self, letter):
        if self.column == self.width:
            self._down()
        row = self.rows[self.row].ljust(self.column)
        self.rows[self.row] = row[: self.column] + letter + row[self.column + 1 :]
        self.column += 1

    def narrow(self, width):
        """Become narrower, wrapping what stands there, the cursor with its line."""
        wrapped = [row[at : at + width] for row in self.rows for at in range(0, max(1, len(row)), width)]
        self.width, self.rows, self.row, self.column = width, wrapped, len(wrapped) - 1, len(wrapped[-1])


@pytest.fixture
def terminal():
    stream = io.StringIO()
    region = Region(Console(file=stream, force_terminal=True, color_system=None, width=40, legacy_windows=False))
    screen = Screen(40)

    def shown():
        screen.feed(stream.getvalue())
        stream.seek(0)
        stream.truncate()
        return [row.rstrip() for row in screen.rows]

    return region, screen, stream, shown


def lines(*texts):
    return [Text(text) for text in texts]


def test_the_next_picture_replaces_the_former_one_whatever_their_sizes(terminal):
    region, _, _, shown = terminal
    region.draw(lines("one", "two longer", "three"), width=40)
    assert shown() == ["one", "two longer", "three"]
    region.draw(lines("1", "2"), width=40)
    assert shown() == ["1", "2"]
    region.draw(lines("a", "b", "c", "d"), width=40)
    assert shown() == ["a", "b", "c", "d"]
    region.draw([], width=40)
    assert shown() == [""]


def test_the_same_picture_again_writes_nothing(terminal):
    region, _, stream, shown = terminal
    region.draw(lines("one", "two"), width=40)
    shown()
    region.draw(lines("one", "two"), width=40)
    assert stream.getvalue() == ""


def test_a_remark_stands_above_and_the_picture_below_it(terminal):
    region, _, _, shown = terminal
    region.draw(lines("one", "two"), width=40)
    region.above(Text("a remark"), width=40)
    assert shown() == ["a remark", "one", "two"]
    region.draw(lines("three"), width=40)
    region.leave()
    assert shown() == ["a remark", "three", ""]


def test_a_terminal_that_became_narrower_keeps_nothing_of_the_wider_picture(terminal):
    region, screen, _, shown = terminal
    region.above(Text("before"), width=40)
    region.draw(lines("x" * 35, "y" * 12, "z" * 39), width=40)
    shown()
    screen.narrow(20)
    region.draw(lines("x" * 19, "y" * 12, "z" * 19), width=20)
    assert shown() == ["before", "x" * 19, "y" * 12, "z" * 19]
