"""Tables without frames, so that they can be read, cut and grepped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ai3ray.report.format import one_line

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class TableColumn:
    """One column."""

    name: str
    """Its heading."""
    right: bool = False
    """Whether it is aligned right, as numbers are."""
    keep: bool = False
    """Whether it is never cut, however narrow the terminal, because people copy from it."""


def table(columns: Sequence[TableColumn], rows: Iterable[Sequence[str]], *, gap: int = 2) -> Table:
    """Return a table of texts; markup in them has no effect.

    Args:
        columns: its columns.
        rows: its cells, row by row.
        gap: blanks between two columns.
    """
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold")
    for column in columns:
        grid.add_column(
            column.name,
            justify="right" if column.right else "left",
            no_wrap=column.keep or column.right,
            overflow="fold",
        )
    for cells in rows:
        grid.add_row(*(Text(indented_line(cell)) for cell in cells))
    return grid


def indented_line(text: str) -> str:
    """Return the text as one line that keeps its leading blanks, which may be an indent."""
    return text[: len(text) - len(text.lstrip(" "))] + one_line(text)
