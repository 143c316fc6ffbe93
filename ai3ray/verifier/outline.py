"""The visible structure of an answer: headings, labels, items, rows, paragraphs."""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

from ai3ray.prompts.markdown import headings, outside
from ai3ray.verifier.words import ITEM, excerpt

_BOLD_LINE = re.compile(r"^\s*(?:\d{1,2}[.)]\s*)?(\*\*|__)([^*_\n]{2,90})\1:?\s*$")
_LABEL = re.compile(
    r"^\s*(?:[-*•]\s+|\d{1,2}[.)]\s*)?(?:\*\*|__)?([^\W\d_][^:.!?*|\n]{1,60})(?:(?:\*\*|__):|:(?:\*\*|__)?)(?:\s|$)"
)
_NUMBERED_PART = re.compile(
    r"^\W*(?:section|part|chapter|step|abschnitt|kapitel|teil|partie|sección)\s+\w+\b", re.IGNORECASE
)
_BOLD_LEVEL, _NUMBERED_LEVEL = 7, 8
_NUMBER = re.compile(r"^\s*\(?(\d{1,3})[.)]")
_IN_LINE = re.compile(r"(?<![\w.,])\(?(\d{1,2})[.)]\s")
_RULE = re.compile(r"^\s*\|?[\s|:=-]+\|?\s*$")
MAX_TITLE_WORDS = 15
"""A longer line is not a title."""


class Outline(NamedTuple):
    """The visible structure of a text."""

    title: str
    """The first line, if it looks like a title; else empty."""
    sections: int
    """Headings of the most frequent level."""
    headings: tuple[str, ...]
    """Texts of all headings and of bold lines that stand alone."""
    labels: tuple[str, ...]
    """Words before a colon at the beginning of a line."""
    items: int
    """List items, or table rows, at any depth."""
    numbered: bool
    """True if the items are numbered from 1 without a gap."""
    lines: int
    """Lines with text."""
    paragraphs: int
    """Blocks between blank lines, without headings."""


def read_outline(text: str) -> Outline:
    """Read the structure of an answer."""
    text = "\n".join(outside(excerpt(text), "code").splitlines())
    lines = {number: line for number, line in enumerate(text.split("\n")) if line.strip()}
    marked = {heading.line: (heading.level, heading.text.strip(" *_:")) for heading in headings(text)}
    titles = {number: found for number, line in lines.items() if (found := marked.get(number) or _unmarked(line))}
    title = _title(list(lines.values()), marked=bool(marked) and min(marked) == min(lines))
    items = [line for number, line in lines.items() if ITEM.match(line) and number not in titles]
    numbers = [int(match[1]) for line in items if (match := _NUMBER.match(line))]
    rows = [line for line in lines.values() if line.lstrip().startswith("|") and not _RULE.match(line)]
    return Outline(
        title=title,
        sections=_sections(list(titles.values()), title),
        headings=tuple(name for _, name in titles.values()),
        labels=tuple(match[1].strip(" *_") for line in lines.values() if (match := _LABEL.match(line))),
        items=max(len(items), len(rows) - 1, _counted_in_line(text)),
        numbered=len(items) > 1 and numbers == list(range(1, len(items) + 1)),
        lines=len(lines),
        paragraphs=sum(number - 1 not in lines and number not in marked for number in lines),
    )


def _counted_in_line(text: str) -> int:
    """Return how far the text counts '1. … 2. … 3. …'."""
    number = 0
    for found in _IN_LINE.finditer(text):
        number += int(found[1]) == number + 1
    return number


def _unmarked(line: str) -> tuple[int, str] | None:
    """Return level and text of a bold line or one such as 'Section 2'."""
    bold = _BOLD_LINE.match(line)
    if bold:
        return _BOLD_LEVEL, bold[2].strip(" :")
    numbered = _NUMBERED_PART.match(line) and len(line.split()) <= MAX_TITLE_WORDS
    return (_NUMBERED_LEVEL, line.strip()) if numbered else None


def _sections(headings: list[tuple[int, str]], title: str) -> int:
    levels = Counter(level for level, _ in headings)
    if len(headings) > 1 and headings[0][1] in title and levels[headings[0][0]] == 1:
        del levels[headings[0][0]]
    return max(levels.values(), default=0)


def _title(lines: list[str], *, marked: bool) -> str:
    first = lines[0].strip() if lines else ""
    if marked or _BOLD_LINE.match(first) or re.match(r"\W*title\s*:", first, re.IGNORECASE):
        return first
    short = len(lines) > 1 and len(first.split()) <= MAX_TITLE_WORDS and not re.search(r"[.,;:!]$", first)
    return first if short and not ITEM.match(first) else ""
