"""Remarks to the user around an answer."""

# ruff: noqa: RUF001 - letters of other alphabets are meant
from __future__ import annotations

import re

from ai3ray.prompts.markdown import around

MAX_CHARS = 300
"""A longer paragraph is content."""

_GREETING = (
    r"(?:sure(?: thing)?|certainly|of course|absolutely|definitely|gladly|okay|ok|alright|no problem"
    r"|great(?: question)?"
    r"|perfect|happy to help|i'd be (?:happy|glad) to(?: help)?|thank(?:s| you)\b[^.!\n]{0,40}|natürlich|gerne|klar"
    r"|bien sûr|claro|por supuesto|certo)"
)
OPENER = re.compile(rf"^\W*{_GREETING}\s*[!,.:;—–-]+\s*", re.IGNORECASE)
"""The beginning of a remark before the answer."""
CLOSER = re.compile(
    r"^\W*(?:let me know|feel free|(?:i )?hope (?:this|that|it) helps|if you (?:have|need|want|would like|'d like)"
    r"|(?:please )?(?:don't hesitate|reach out)|happy (?:coding|to help)|enjoy|is there anything else"
    r"|would you like|do you want me|i can also)\b",
    re.IGNORECASE,
)
"""The beginning of a remark after the answer."""


def without_chatter(text: str) -> str:
    """Return the text without the remarks before its first and after its last fenced block."""
    split = around(text)
    if split is None:
        return text
    before, blocks, after = split
    kept = ("" if _is_remark(before, OPENER) else before, blocks, "" if _is_remark(after, CLOSER) else after)
    return text if kept == split else "\n".join(part for part in kept if part.strip())


def _is_remark(text: str, begins: re.Pattern[str]) -> bool:
    return len(text.strip()) <= MAX_CHARS and bool(begins.match(text.strip()))
