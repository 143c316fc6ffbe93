"""Bar charts out of characters: they need no colour, and give way on a narrow terminal."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ai3ray.report.format import one_line

from ..streams import console, is_terminal

if TYPE_CHECKING:
    from rich.text import Text

ON_A_PIPE = 100
"""Columns of a chart that nobody watches."""
LONGEST = 48
"""Columns of a bar at most: longer ones are not read better."""
SHORTEST = 6
"""A bar that would have fewer columns is left out."""
_GAP = 2
_EIGHTHS = " ▏▎▍▌▋▊▉"


@dataclass(frozen=True)
class ChartBar:
    """One line of a chart."""

    label: str
    """What it is about; leading blanks stay."""
    note: str = ""
    """The figure in words, to its right."""
    value: float | None = None
    """The length of the dark part; None draws no bar."""
    reach: float | None = None
    """Where a light part behind it ends, when there is one."""
    style: str = ""
    """Rich's name of the bar's colour."""


def chart_width() -> int:
    """Columns there are."""
    return console(sys.stdout).width if is_terminal(sys.stdout) else ON_A_PIPE


def chart(title: str, bars: Sequence[ChartBar], *, width: int, most: float | None = None) -> Text:
    """The lines of a chart.

    Args:
        title: above it.
        bars: its lines.
        width: columns there are.
        most: the value of a full bar; the greatest one when absent.
    """
    from rich.cells import cell_len, set_cell_size
    from rich.text import Text

    most = most or max((max(bar.value or 0.0, bar.reach or 0.0) for bar in bars), default=0.0)
    note_w = max((cell_len(bar.note) for bar in bars), default=0)
    labels = [_label(bar.label) for bar in bars]
    label_w = min(max((cell_len(label) for label in labels), default=0), max(width - note_w - _GAP, width // 3))
    bar_w = min(width - label_w - note_w - 2 * _GAP, LONGEST)
    drawn = Text(no_wrap=True, overflow="crop", end="")
    drawn.append(title, style="bold")
    for label, bar in zip(labels, bars, strict=True):
        drawn.append("\n" + set_cell_size(label, label_w) + " " * _GAP)
        if bar_w >= SHORTEST:
            dark, light = _blocks(bar, most, bar_w)
            drawn.append(dark, style=bar.style)
            drawn.append(light, style=bar.style)
            drawn.append(" " * (bar_w - len(dark) - len(light) + _GAP))
        drawn.append(" " * (note_w - cell_len(bar.note)) + bar.note)
    return drawn


def _label(text: str) -> str:
    return text[: len(text) - len(text.lstrip(" "))] + one_line(text)


def _blocks(bar: ChartBar, most: float, width: int) -> tuple[str, str]:
    """The dark and the light part. Whatever is more than nothing is seen."""
    if bar.value is None or not most:
        return "", ""
    full, half_tone = ("█", "░") if _has_blocks() else ("#", "-")
    exact = min(bar.value / most, 1.0) * width
    if bar.reach is not None:  # two parts meet at whole columns
        dark = math.ceil(exact)
        return full * dark, half_tone * (math.ceil(min(bar.reach / most, 1.0) * width) - dark)
    columns, eighths = divmod(math.ceil(exact * 8), 8)
    rest = _EIGHTHS[eighths].strip() if full == "█" else "#" * (eighths > 0)
    return full * columns + rest, ""


def _has_blocks() -> bool:
    return (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "") == "utf8"
