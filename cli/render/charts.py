"""Bar charts of characters."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..streams import console, is_terminal
from .text_table import indented_line

if TYPE_CHECKING:
    from rich.text import Text

PIPE_COLUMNS = 100
"""Width of a chart off the terminal."""
LONGEST = 48
"""Columns of the longest bar."""
SHORTEST = 6
"""Below this many columns no bars are drawn."""
_GAP = 2
_EIGHTHS = " ▏▎▍▌▋▊▉"


@dataclass(frozen=True)
class ChartBar:
    """One line of a chart."""

    label: str
    """Text on the left; leading blanks are kept."""
    note: str = ""
    """Text on the right."""
    value: float | None = None
    """Length of the bar; None draws none."""
    light_value: float | None = None
    """End of a lighter part behind it."""
    style: str = ""
    """A Rich style."""


def chart_width() -> int:
    """Return the width of a chart on stdout."""
    return console(sys.stdout).width if is_terminal(sys.stdout) else PIPE_COLUMNS


def chart(title: str, bars: Sequence[ChartBar], *, width: int, full: float | None = None) -> Text:
    """Return the lines of a chart.

    Args:
        title: the heading.
        bars: the lines.
        width: columns of the whole chart.
        full: the value of a full bar; the greatest value when absent.
    """
    from rich.cells import cell_len, set_cell_size
    from rich.text import Text

    full_value = full or max((max(bar.value or 0.0, bar.light_value or 0.0) for bar in bars), default=0.0)
    note_w = max((cell_len(bar.note) for bar in bars), default=0)
    labels = [indented_line(bar.label) for bar in bars]
    label_w = min(max((cell_len(label) for label in labels), default=0), max(width - note_w - _GAP, width // 3))
    bar_w = min(width - label_w - note_w - 2 * _GAP, LONGEST)
    drawn = Text(no_wrap=True, overflow="crop", end="")
    drawn.append(title, style="bold")
    for label, bar in zip(labels, bars, strict=True):
        drawn.append("\n" + set_cell_size(label, label_w) + " " * _GAP)
        if bar_w >= SHORTEST:
            dark, light = _blocks(bar, full_value, bar_w)
            drawn.append(dark, style=bar.style)
            drawn.append(light, style=bar.style)
            drawn.append(" " * (bar_w - len(dark) - len(light) + _GAP))
        drawn.append(" " * (note_w - cell_len(bar.note)) + bar.note)
    return drawn


def _blocks(bar: ChartBar, full_value: float, width: int) -> tuple[str, str]:
    """Return the dark and the light part, at least one block for a value above 0."""
    if bar.value is None or not full_value:
        return "", ""
    utf8 = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "") == "utf8"
    full, shaded = ("█", "░") if utf8 else ("#", "-")
    exact = min(bar.value / full_value, 1.0) * width
    if bar.light_value is not None:  # two parts meet at whole columns
        dark = math.ceil(exact)
        return full * dark, shaded * (math.ceil(min(bar.light_value / full_value, 1.0) * width) - dark)
    columns, eighths = divmod(math.ceil(exact * 8), 8)
    rest = _EIGHTHS[eighths].strip() if full == "█" else "#" * (eighths > 0)
    return full * columns + rest, ""
