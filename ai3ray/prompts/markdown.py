"""Fenced blocks and headings in models' Markdown, in linear time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

_FENCE_LINE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)$")
_LINE_ENDS = re.compile(r"(?<=\n)|(?<=\r)(?!\n)")


class FencedBlock(NamedTuple):
    """One fenced block."""

    tag: str
    """Its language, in lower case; may be empty."""
    body: str
    """Without the line break at its end."""


class Heading(NamedTuple):
    """One heading."""

    line: int
    """Index of the line."""
    level: int
    """From 1 to 6."""
    text: str


class _Span(NamedTuple):
    """The lines of one closed block, including fences."""

    first: int
    end: int
    tag: str


class _Fence(NamedTuple):
    line: int
    marks: str
    tag: str


def fenced_blocks(text: str) -> tuple[FencedBlock, ...]:
    """Return the closed blocks."""
    lines = _lines(text)
    return tuple(
        FencedBlock(span.tag, "".join(lines[span.first + 1 : span.end - 1]).removesuffix("\n"))
        for span in _scan(text).spans
    )


def outside(text: str, instead: str = "") -> str:
    """Return the text around its closed blocks, with a line in place of each."""
    lines = _lines(text)
    kept: list[str] = []
    begin = 0
    for span in _scan(text).spans:
        kept += [*lines[begin : span.first], f"{instead}\n" if lines[span.end - 1].endswith("\n") else instead]
        begin = span.end
    return "".join(kept + lines[begin:])


def around(text: str) -> tuple[str, str, str] | None:
    """Return the text before the first block, all blocks, and the text after the last; None without a block."""
    spans = _scan(text).spans
    if not spans:
        return None
    lines = _lines(text)
    begin, end = spans[0].first, spans[-1].end
    before, blocks = ("".join(part).removesuffix("\n") for part in (lines[:begin], lines[begin:end]))
    return before, blocks, "".join(lines[end:])


def without_fences(text: str) -> str:
    """Return the text without the lines that may open or close a block."""
    lines = text.split("\n")
    fences = {fence.line for fence in _fences(lines)}
    return "\n".join(line for number, line in enumerate(lines) if number not in fences)


def unclosed(text: str) -> bool:
    """Return True if a fence is opened and never closed.

    Models nest fences of the same length against CommonMark: a text that is balanced when nested passes too.
    """
    if not _scan(text).open:
        return False
    nested: list[_Fence] = []
    for fence in _fences(text.split("\n")):
        if nested and not fence.tag and fence.marks.startswith(nested[-1].marks):
            nested.pop()
        else:
            nested.append(fence)
    return bool(nested)


def unwrapped(text: str, tags: frozenset[str] = frozenset()) -> str:
    """Return the body of the fence around the whole text, if it has one of the tags (or any)."""
    lines = text.strip().split("\n")
    fences = list(_fences(lines))
    if len(fences) < 2 or fences[0].line != 0 or fences[-1].line != len(lines) - 1:
        return text
    first, last = fences[0], fences[-1]
    if last.tag or not last.marks.startswith(first.marks) or (tags and first.tag not in tags):
        return text
    return text if _closes(fences[1:-1], first) else "\n".join(lines[1:-1])


def headings(text: str) -> tuple[Heading, ...]:
    """Return the headings that begin with `#`, outside fenced blocks."""
    if "#" not in text:
        return ()
    tokens = _parser().parse(text)
    return tuple(
        Heading(opening.map[0], int(opening.tag[1:]), words.content)
        for opening, words in pairwise(tokens)
        if opening.type == "heading_open" and opening.markup.startswith("#") and opening.map
    )


def begins_with_heading(text: str) -> bool:
    """Return True if the text begins with a heading or a line in bold."""
    beginning = "\n".join(text.lstrip().split("\n", 2)[:2])
    tokens = _parser().parse(beginning)
    bold = re.match(r"(\*\*|__).+\1[ \t]*(?:\n|$)", beginning)
    return bold is not None or (bool(tokens) and tokens[0].type == "heading_open")


class _Scan(NamedTuple):
    spans: tuple[_Span, ...] = ()
    open: bool = False
    """True if the last fence is never closed."""


@lru_cache(maxsize=8)
def _scan(text: str) -> _Scan:
    if "```" not in text and "~~~" not in text:
        return _Scan()
    lines = _lines(text)
    spans: list[_Span] = []
    for token in _parser().parse(text):
        if token.type == "fence" and token.map:
            first, end = token.map
            last = _FENCE_LINE.match(lines[end - 1])
            if first == end - 1 or not last or last[2].strip() or not last[1].startswith(token.markup):
                return _Scan(tuple(spans), open=True)  # the end of the text ends a block that nothing closes
            spans.append(_Span(first, end, _tag(token.info)))
    return _Scan(tuple(spans))


def _closes(fences: list[_Fence], outer: _Fence) -> bool:
    opened: _Fence | None = None
    for fence in fences:
        if opened is not None:
            opened = None if fence.marks.startswith(opened.marks) and not fence.tag else opened
        elif fence.tag or not fence.marks.startswith(outer.marks):
            opened = fence
        else:
            return True
    return opened is not None


def _fences(lines: list[str]) -> Iterator[_Fence]:
    """Yield all lines that may open or close a block, also inside others."""
    for number, line in enumerate(lines):
        found = _FENCE_LINE.match(line)
        if found and "`" not in found[2]:  # inline code may begin with three marks
            yield _Fence(number, found[1], _tag(found[2]))


def _tag(info: str) -> str:
    words = info.split()
    return words[0].lower() if words else ""


def _lines(text: str) -> list[str]:
    """Split into lines with their ends, as Markdown does."""
    return _LINE_ENDS.split(text)


@cache
def _parser() -> MarkdownIt:
    """Build a parser of blocks without containers, tables and inline marks, which is always fast."""
    from markdown_it import MarkdownIt

    return MarkdownIt("zero").enable(["code", "fence", "heading", "lheading"]).disable(["inline", "text_join"])
