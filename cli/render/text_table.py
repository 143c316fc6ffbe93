"""The look of every table: no frames, so that it can be read, cut and grepped."""

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
    """Numbers stand right."""
    keep: bool = False
    """Never cut, however narrow the terminal: something to copy."""


def table(columns: Sequence[TableColumn], rows: Iterable[Sequence[str]], *, gap: int = 2) -> Table:
    """A table of texts; what a model wrote is shown as it is, never read as markup.

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
        grid.add_row(*(Text(_cell(cell)) for cell in cells))
    return grid


def _cell(text: str) -> str:
    # Leading blanks carry meaning (a mark, an indent); line breaks would tear the row apart.
    return text[: len(text) - len(text.lstrip(" "))] + one_line(text)
