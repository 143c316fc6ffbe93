"""Reads English requests by their words, in linear time."""

from __future__ import annotations

import re

_WORDS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
NUMBERS = {word: value for value, word in enumerate(_WORDS, 2)}
NUMBER = rf"(?:\d{{1,3}}|{'|'.join(NUMBERS)})"
"""A count from two on, as figures or as a word."""
MAX_SUBJECT = 90
"""Characters; a longer subject is a description."""
MAX_NAME = 60
"""Characters of one name of a list."""

_ABOUT = re.compile(r"\b(?:about|on)\s+(?=\S)", re.IGNORECASE)
# Where a subject ends: at a sentence's end, or at words about the form of the text.
_END = re.compile(
    rf"[.!?;:](?:\s|$)|\n|\s\(|,?\s+(?:in\s+{NUMBER}\b|with\s|each\b|step by step\b|,)|,\s*(?:each|about|{NUMBER})\b",
    re.IGNORECASE,
)
_COMMAS = re.compile(r"\s*[,;]\s*(?:(?:and|or)\s+)?", re.IGNORECASE)
_OXFORD = re.compile(r"[,;]\s*(?:and|or)\s", re.IGNORECASE)
_AND = re.compile(r"\s+(?:and|or|&)\s+", re.IGNORECASE)
_ARTICLE = re.compile(r"^(?:the|an?|its|their|my|our|your)\s+", re.IGNORECASE)
_SINGULAR_S = re.compile(r"(?:ss|us|is|ics|ews|as)$", re.IGNORECASE)


def number(text: str) -> int:
    """Return the count that matched NUMBER."""
    return NUMBERS.get(text.lower()) or int(text)


def subject(text: str) -> str | None:
    """Return the subject of a text in its own words; None when there is no short one."""
    found = _ABOUT.search(text)
    return phrase(text[found.end() :]) if found else None


def phrase(text: str) -> str | None:
    """Return the words before a remark on form; None when none or too many are left."""
    end = _END.search(text)
    kept = (text[: end.start()] if end else text).strip(" \t\"“”'‘’.,:;!?*_`")
    return kept if 1 < len(kept) <= MAX_SUBJECT else None


def names(text: str) -> tuple[str, ...]:
    """Return the names of an enumeration: `a, b and c`."""
    parts = _COMMAS.split(text)
    if len(parts) == 1:
        parts = _AND.split(text)
    elif not _OXFORD.search(text):
        parts = [*parts[:-1], *_AND.split(parts[-1], maxsplit=1)]
    trimmed = (part.strip(" \t\"\u201c\u201d'\u2018\u2019.:!?*_`()") for part in parts)
    return tuple(dict.fromkeys(_ARTICLE.sub("", part) for part in trimmed if part))


def capital(text: str) -> str:
    """Return the text with a capital first letter; names such as `iPhone` keep their own."""
    return text if len(text) > 1 and text[1].isupper() else text[:1].upper() + text[1:]


def plural(topic: str) -> bool:
    """Return True if a verb after the topic is in the plural."""
    head = re.split(r"\s+(?:of|in|for|on|with|at|from|to|as)\s+", topic, maxsplit=1)[0]
    last = head.split()[-1] if head.split() else ""
    if re.search(r"\s(?:and|&)\s", head):
        return True
    return last.islower() and len(last) > 3 and last.endswith("s") and _SINGULAR_S.search(last) is None


def slug(title: str, taken: set[str]) -> str:
    """Make a task id from a title, different from those taken, and add it to them."""
    base = "-".join(re.findall(r"[a-z0-9]+", title.lower()))[:40].strip("-") or "part"
    found, number_of_it = base, 2
    while found in taken:
        found, number_of_it = f"{base}-{number_of_it}", number_of_it + 1
    taken.add(found)
    return found
