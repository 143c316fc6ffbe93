"""Fits foreign text into limited space."""

from __future__ import annotations

from collections.abc import Sequence


def one_line(text: str, limit: int = 120) -> str:
    """Put the text on one line of at most `limit` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def cut(text: str, limit: int) -> str:
    """Cut the text after `limit` characters, with a note of what is missing."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}\n[cut: the first {limit} of {len(text)} characters]"


def shares(lengths: Sequence[int], total: int, each: int) -> tuple[int, ...]:
    """Divide space among several texts (max-min fairness): what short texts leave over goes to long ones.

    Args:
        lengths: characters that each would take.
        total: characters for all of them.
        each: the most characters for one.
    """
    granted = [0] * len(lengths)
    left = total
    shortest_first = sorted(range(len(lengths)), key=lambda index: lengths[index])
    for done, index in enumerate(shortest_first):
        granted[index] = min(lengths[index], each, left // (len(lengths) - done))
        left -= granted[index]
    return tuple(granted)


def fenced(fence: str, label: str, name: str, text: str) -> str:
    """Mark a foreign text as data, without the fence word, which a model may repeat."""
    shown = one_line(name).replace(fence, "").replace('"', "'")
    return f'<data-{fence} {label}="{shown}">\n{text.replace(fence, "")}\n</data-{fence}>'
