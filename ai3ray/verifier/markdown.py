"""Fenced blocks in Markdown, line by line: linear in the text, whatever the text is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_MARK = re.compile(r" {0,3}(`{3,}|~{3,})(.*)$")


class FencedBlock(NamedTuple):
    """One fenced block."""

    tag: str
    """The language it names, in lower case; may be empty."""
    body: str
    """What stands inside, without the line break at its end."""


class _FenceLine(NamedTuple):
    line: int
    ticks: str
    tag: str


def fenced_blocks(text: str) -> tuple[FencedBlock, ...]:
    """The closed blocks (CommonMark: closed by as many marks or more, without a tag)."""
    lines = text.split("\n")
    return tuple(
        FencedBlock(first.tag, "\n".join(lines[first.line + 1 : last.line]))
        for first, last in _pairs(_fence_lines(lines))
    )


def outside(text: str, instead: str = "") -> str:
    """The text around its closed blocks.

    Args:
        text: an answer.
        instead: a line that stands for each block.
    """
    lines = text.split("\n")
    kept: list[str] = []
    begin = 0
    for first, last in _pairs(_fence_lines(lines)):
        kept += [*lines[begin : first.line], instead]
        begin = last.line + 1
    return "\n".join(kept + lines[begin:])


def around(text: str) -> tuple[str, str, str] | None:
    """What stands before the first closed block, the blocks and all between them, and what follows; or None."""
    lines = text.split("\n")
    pairs = list(_pairs(_fence_lines(lines)))
    if not pairs:
        return None
    begin, end = pairs[0][0].line, pairs[-1][1].line + 1
    return "\n".join(lines[:begin]), "\n".join(lines[begin:end]), "\n".join(lines[end:])


def unclosed(text: str) -> bool:
    """Whether a fence is opened and never closed.

    Models nest fences of the same length, which CommonMark does not know: a text that is balanced when
    read as nested is let pass too.
    """
    opened: _FenceLine | None = None
    nested: list[_FenceLine] = []
    for mark in _fence_lines(text.split("\n")):
        if opened is None:
            opened = mark
        elif mark.ticks.startswith(opened.ticks) and not mark.tag:
            opened = None
        if nested and not mark.tag and mark.ticks.startswith(nested[-1].ticks):
            nested.pop()
        else:
            nested.append(mark)
    return opened is not None and bool(nested)


def unwrapped(text: str, tags: frozenset[str] = frozenset()) -> str:
    """The body of the fence around the whole text, or the text when there is none.

    Args:
        text: an answer.
        tags: the fence has to name one of these; any when empty.
    """
    lines = text.strip().split("\n")
    marks = list(_fence_lines(lines))
    if len(marks) < 2 or marks[0].line != 0 or marks[-1].line != len(lines) - 1:
        return text
    first, last = marks[0], marks[-1]
    if last.tag or not last.ticks.startswith(first.ticks) or (tags and first.tag not in tags):
        return text
    inside = "\n".join(lines[1:-1])
    return text if _leaves(marks[1:-1], first) else inside


def _pairs(marks: Iterator[_FenceLine]) -> Iterator[tuple[_FenceLine, _FenceLine]]:
    """The first and the last line of each closed block."""
    opened: _FenceLine | None = None
    for mark in marks:
        if opened is None:
            opened = mark
        elif mark.ticks.startswith(opened.ticks) and not mark.tag:
            yield opened, mark
            opened = None


def _leaves(marks: list[_FenceLine], outer: _FenceLine) -> bool:
    """Whether a mark inside closes the outer fence: then its first and last line belong to different blocks."""
    opened: _FenceLine | None = None
    for mark in marks:
        if opened is not None:
            opened = None if mark.ticks.startswith(opened.ticks) and not mark.tag else opened
        elif mark.tag or not mark.ticks.startswith(outer.ticks):
            opened = mark
        else:
            return True
    return opened is not None


def _fence_lines(lines: list[str]) -> Iterator[_FenceLine]:
    for number, line in enumerate(lines):
        found = _MARK.match(line)
        if found and "`" not in found[2]:  # inline code may begin with three marks
            words = found[2].split()
            yield _FenceLine(number, found[1], words[0].lower() if words else "")
