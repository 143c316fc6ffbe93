"""Read the goal of a prompt by plain rules, so that simulated plans fit it."""

from __future__ import annotations

import re
from typing import NamedTuple

_NUMBER_WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_NUMBERS = {word: number for number, word in enumerate(_NUMBER_WORDS, start=1)}
_PARTS = re.compile(
    rf"\b(\d{{1,3}}|{'|'.join(_NUMBERS)})(?:[- ]\w+)?[- ]"
    r"(section|part|paragraph|chapter|step|point|module|piece|task)s?\b",
    re.IGNORECASE,
)
_AT_MOST = re.compile(r"\bat most (\d{1,3}) tasks\b", re.IGNORECASE)
_WORDS = re.compile(r"\b(at most |under |up to )?(\d{2,5})[- ]words?\b", re.IGNORECASE)
_QUESTION = re.compile(r"^(who|what|when|where|which|why|how|is|are|was|were|does|do|did|can)\b", re.IGNORECASE)
_TOPIC = re.compile(r"\b(?:about|on|of|for|regarding|explain|describe|compare)\s+([^.?!\n]{2,80})", re.IGNORECASE)
_LABELS = ("the request:", "your task:")
"""The paragraphs before the request in ai3ray's prompts."""
_CODE = re.compile(
    r"\b(python|javascript|typescript|rust|java|sql|bash)\b[^.]*\b(function|script|code|class|program|query)\b"
    r"|\b(function|script) that\b|\bcode (that|to)\b",
    re.IGNORECASE,
)
CONTEXT_LABEL = "It belongs to this work:"
"""The paragraph before the whole request in the prompts of simulated tasks."""
_SHORT_QUESTION = 20
MOST_PARTS = 20


class Goal(NamedTuple):
    """The goal of a prompt."""

    text: str
    """The request, without a planner's instructions."""
    topic: str
    parts: int
    """The number of parallel parts; 1 for a short question."""
    numbered: bool
    diamond: bool
    """Whether the request asks for a, then b and c, then d."""


def read_goal(text: str) -> Goal:
    """Read the goal from the text after a label; without one, from all of it."""
    goal_text, cap = _request_text(text), _AT_MOST.search(text)
    most = min(MOST_PARTS, int(cap[1])) if cap else MOST_PARTS
    words = [match[1].lower() for match in _PARTS.finditer(_AT_MOST.sub("", goal_text))]
    found = [int(word) if word.isdigit() else _NUMBERS[word] for word in words]
    short = len(goal_text.split()) <= _SHORT_QUESTION and (
        goal_text.rstrip().endswith("?") or bool(_QUESTION.match(goal_text))
    )
    parts = found[-1] if found else (1 if short else 3)
    return Goal(goal_text, topic_of(goal_text), max(1, min(parts, most)), bool(found), "diamond" in goal_text.lower())


def topic_of(text: str) -> str:
    """Return the subject of a text in at most six words; for a simulated task, that of the whole request."""
    whole = text.partition(CONTEXT_LABEL)[2] or text
    found = _TOPIC.search(whole)
    words = re.findall(r"[\w'-]+", found[1] if found else whole)
    return " ".join(words[:6]) or "the subject"


def asks_for_code(text: str) -> bool:
    """Return whether the text asks for a program."""
    return bool(_CODE.search(text))


def word_range(text: str) -> tuple[int, int]:
    """Return the fewest and the most words a prompt asks for, without the closing sentence."""
    low, high = 110, 165
    for bound, figure in _WORDS.findall(text):
        words = min(int(figure), 5000)
        if bound.strip().lower() in {"at most", "under", "up to"}:
            low, high = words // 3, words // 2
        else:
            low, high = words, words + words // 20
    return low, high


def _request_text(text: str) -> str:
    paragraphs = [part.strip() for part in re.split(r"\n\s*\n", text) if part.strip()]
    labels = [index for index, part in enumerate(paragraphs[:-1]) if part.lower() in _LABELS]
    return "\n\n".join(paragraphs[labels[0] + 1 :] if labels else paragraphs)
