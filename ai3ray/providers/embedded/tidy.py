"""What of an answer is kept that ran into the embedded model's own cap."""

from __future__ import annotations

import re

MIN_ECHO = 40
"""Characters from which a sentence that comes again means that the model loops."""

_END = re.compile(r"[.!?…][\"'”’)\]*_]*(?=\s|$)|[。！？]|\n")  # noqa: RUF001 - full-width marks end sentences too
_FENCE = re.compile(r"^ {0,3}```", re.MULTILINE)
_STUMP = re.compile(r"(?:\d+[.)]|[-*+•])?$|[^\n]*:$")


def trim_to_sentences(text: str) -> str:
    """The text up to its last whole sentence or line, or to where it began to repeat itself.

    A fence of code that was left open is closed behind its last whole line. Text in which nothing ends
    stays as it is.
    """
    if len(_FENCE.findall(text)) % 2:
        return _closed(text)
    seen: set[str] = set()
    start = kept = 0
    for end in _END.finditer(text):
        sentence = " ".join(text[start : end.end()].lower().split())
        if len(sentence) >= MIN_ECHO and sentence in seen:
            break
        seen.add(sentence)
        start = kept = end.end()
    return _without_stump(text[:kept]) or text.strip()


def _without_stump(text: str) -> str:
    """Without last lines that only announce what is missing: a bullet, a number, a colon."""
    lines = text.strip().split("\n")
    while len(lines) > 1 and _STUMP.match(lines[-1].strip()):
        lines.pop()
    return "\n".join(lines).rstrip()


def _closed(text: str) -> str:
    lines = text.rstrip().split("\n")
    whole = lines[:-1] if not _FENCE.match(lines[-1]) else lines
    return "\n".join([*whole, "```"])
