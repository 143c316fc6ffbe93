"""What a prompt seems to want, read by plain rules: the simulator is no model, but its plans should fit."""

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
"""Paragraphs after which ai3ray's prompts put the wish itself."""
_CODE = re.compile(
    r"\b(python|javascript|typescript|rust|java|sql|bash)\b[^.]*\b(function|script|code|class|program|query)\b"
    r"|\b(function|script) that\b|\bcode (that|to)\b",
    re.IGNORECASE,
)
CONTEXT_LABEL = "It belongs to this work:"
"""What stands in the prompt of a simulated plan's task before the wish it comes from."""
_SHORT_QUESTION = 20
MOST_PARTS = 20


class Goal(NamedTuple):
    """What is wanted."""

    text: str
    """The wish itself, without what a planner was told around it."""
    topic: str
    """What it is about, in a few words."""
    parts: int
    """Into how many parallel pieces it falls; 1 for a short question."""
    numbered: bool
    """Whether the number was in the wish."""
    diamond: bool
    """Whether a diamond was wished for: a, then b and c, then d."""


def read_goal(text: str) -> Goal:
    """The goal of a user's turn: what stands after one of the labels, or all of it."""
    goal_text, cap = _request_text(text), _AT_MOST.search(text)
    most = min(MOST_PARTS, int(cap[1])) if cap else MOST_PARTS
    found = [_number(match[1]) for match in _PARTS.finditer(_AT_MOST.sub("", goal_text))]
    short = len(goal_text.split()) <= _SHORT_QUESTION and (
        goal_text.rstrip().endswith("?") or bool(_QUESTION.match(goal_text))
    )
    parts = found[-1] if found else (1 if short else 3)
    return Goal(goal_text, topic_of(goal_text), max(1, min(parts, most)), bool(found), "diamond" in goal_text.lower())


def topic_of(text: str) -> str:
    """What a text is about, in at most six words; of a task that the simulator planned, what the whole is about."""
    whole = text.partition(CONTEXT_LABEL)[2] or text
    found = _TOPIC.search(whole)
    words = re.findall(r"[\w'-]+", found[1] if found else whole)
    return " ".join(words[:6]) or "the subject"


def asks_for_code(text: str) -> bool:
    """Whether a program is wanted."""
    return bool(_CODE.search(text))


def word_range(text: str) -> tuple[int, int]:
    """The shortest and longest answer that a prompt asks for, in words, a closing sentence not counted."""
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


def _number(word: str) -> int:
    return int(word) if word.isdigit() else _NUMBERS[word.lower()]
