"""Answers as words, sentences and lines, in linear time."""

from __future__ import annotations

import re

from ai3ray.domain.plan import Task
from ai3ray.prompts.markdown import outside

MAX_CHARS = 60_000
"""Characters of a text that a rule reads: half from its beginning, half from its end."""

MAX_PROMPT = 8_000
"""Characters of a prompt that a rule reads."""

# In scripts without spaces a character counts as a word.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]|[^\W_]+(?:['\u2019-][^\W_]+)*")
_SENTENCE_END = re.compile(r"(?<=[.!?\u2026])[\"'\u201d\u2019\u00bb)*_]*\s+|(?<=[\u3002\uff01\uff1f])|\n+")
_NOT_PROSE = re.compile(r"`[^`\n]{1,300}`|<[^<>\n]{1,300}>|https?://\S+")
_COMMENT = re.compile(r"<!--.{0,2000}?-->", re.DOTALL)
_TABLE_ROW = re.compile(r"^\s*\|.*\|\s*$|^[\s|:+-]*[|+][\s|:+-]*$", re.MULTILINE)
ITEM = re.compile(
    r"^(\s*)(?:[-*+\u2022\u2013\u2043]|\(?\d{1,3}[.)]|\d{1,3}\ufe0f?\u20e3|[\d一二三四五六七八九十]+、)\s*(?=\S)"
)
"""The mark of a list item; its group is the indentation."""


def excerpt(text: str, limit: int = MAX_CHARS) -> str:
    """Return the text, or both its ends when it is longer."""
    return text if len(text) <= limit else f"{text[: limit // 2]}\n{text[-(limit // 2) :]}"


def prompt_excerpt(task: Task) -> str:
    """Return the ends of the prompt, which contain its request."""
    return excerpt(task.prompt, MAX_PROMPT)


def prose(text: str) -> str:
    """Return the running text, without code, tables, addresses and tags."""
    text = _COMMENT.sub("", outside(excerpt(text)))
    if "|" in text or "+" in text:
        text = _TABLE_ROW.sub("", text)
    return _NOT_PROSE.sub(" ", text)


def words(text: str) -> list[str]:
    """Return the words in lower case."""
    return _WORD.findall(text.lower())


def sentences(text: str) -> list[str]:
    """Return the sentences; a line break also ends one."""
    return [sentence for part in _SENTENCE_END.split(text) if (sentence := part.strip())]


def shortened(text: str, limit: int = 60) -> str:
    """Return the beginning of a text, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[:limit].rstrip()}…"
