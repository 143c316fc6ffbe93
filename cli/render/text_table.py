"""Tables without frames, to be cut and grepped."""

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
    right: bool = False
    """Align right, as numbers are."""
    keep: bool = False
    """Never wrap, because people copy from it."""
    clip: bool = False
    """Cut to one line."""


def table(columns: Sequence[TableColumn], rows: Iterable[Sequence[str]], *, gap: int = 2) -> Table:
    """Return a table of texts, with `gap` blanks between columns; markup has no effect."""
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
        texts = [Text(indented_line(cell)) for cell in cells]
        for text, column in zip(texts, columns, strict=True):
            if column.clip:
                text.no_wrap, text.overflow = True, "ellipsis"
        grid.add_row(*texts)
    return grid


def indented_line(text: str) -> str:
    """Return the text on one line, with its leading blanks."""
    return text[: len(text) - len(text.lstrip(" "))] + one_line(text)
