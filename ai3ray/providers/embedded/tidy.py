"""Trim an answer that reached the embedded model's cap."""

from __future__ import annotations

import re

MIN_ECHO = 40
"""Repeated sentences of at least this many characters mean that the model loops."""

_END = re.compile(r"[.!?…][\"'”’)\]*_]*(?=\s|$)|[。！？]|\n")  # noqa: RUF001 - full-width marks end sentences too
_FENCE = re.compile(r"^ {0,3}```", re.MULTILINE)
_STUMP = re.compile(r"(?:\d+[.)]|[-*+•])?$|[^\n]*:$")


def trim_to_sentences(text: str) -> str:
    """Return the text up to its last whole sentence or line, or up to its first repetition.

    An open code fence is closed after its last whole line. Text without a sentence's end stays as it is.
    """
    if len(_FENCE.findall(text)) % 2:
        lines = text.rstrip().split("\n")
        whole = lines[:-1] if not _FENCE.match(lines[-1]) else lines
        return "\n".join([*whole, "```"])
    seen: set[str] = set()
    start = kept = 0
    for end in _END.finditer(text):
        sentence = " ".join(text[start : end.end()].lower().split())
        if len(sentence) >= MIN_ECHO and sentence in seen:
            break
        seen.add(sentence)
        start = kept = end.end()
    lines = text[:kept].strip().split("\n")
    while len(lines) > 1 and _STUMP.match(lines[-1].strip()):  # a bullet, a number or a colon without its text
        lines.pop()
    return "\n".join(lines).rstrip() or text.strip()
