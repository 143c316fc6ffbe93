"""Reading English requests by their words: numbers, subjects, lists of names. Pure, and linear in the text."""

from __future__ import annotations

import re

NUMBERS = {
    word: number
    for number, word in enumerate(
        [
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
            "twenty",
        ],
        2,
    )
}
NUMBER = rf"(?:\d{{1,3}}|{'|'.join(NUMBERS)})"
"""A count from two on, as figures or as a word."""
MAX_SUBJECT = 90
"""Characters of a subject; what is longer is no subject but a description."""
MAX_NAME = 60
"""Characters of one name of a list."""

_LANGUAGE = (
    "english|german|french|spanish|italian|portuguese|dutch|polish|russian|chinese|japanese|korean|arabic|hindi|turkish"
)
# Where a subject ends: at a sentence's end, or at words about the form of the text.
_END = re.compile(
    rf"""[.!?;:](?:\s|$) | \n | \s[-\u2013\u2014]\s | \s*\(
       | ,?\s+(?: step\s+by\s+step\b | with\s+(?:{NUMBER}|an?\b|at\s+least|no\b|short|clear|some|examples?|headings?|sections?|bullet|the\s+title)
                | in\s+(?:{NUMBER}|about|around|under|at\s+most|less|fewer|simple|plain|short|brief|detail|bullet|markdown
                         |(?:{_LANGUAGE})\b|the\s+(?:style|tone|form|voice)|an?\s+\w+\s+(?:style|tone|voice|way|format))
                | (?:of|for|at)\s+(?:about|around|roughly|at\s+most|no\s+more\s+than)?\s*\d+
                | using\b | including\b | containing\b | consisting\b | divided\b | split\b | structured\b | suitable\b
                | written\b | aimed\b | covering\b | each\b | that\s+(?:is|has|covers|includes|explains)\b
                | and\s+(?:then|include|add|make|keep|use|give|explain|end|finish|translate|summari[sz]e)\b
                | then\b | please\b | make\s+it\b | keep\s+it\b )
       | ,\s*(?:about\s+|around\s+|max\.?\s+)?{NUMBER}\b
       | ,\s*(?:no|not|short|brief|maximum|max|less|fewer|up\s+to)\b """,
    re.IGNORECASE | re.VERBOSE,
)
_TITLED = re.compile(r"\b(?:titled|entitled|called|named|headed)\s*:?\s*[\"“‘'«](.{2,90}?)[\"”’'»]", re.IGNORECASE)
_ABOUT = re.compile(
    r"\b(?:about|on|regarding|concerning|covering|discussing|exploring|explaining|describing)\s+(?:the topic of\s+"
    r"|the subject of\s+)?(?=\S)",
    re.IGNORECASE,
)
_HISTORY = re.compile(r"^(?:(?:a|the)\s+)?(?:short\s+|brief\s+)?history\s+of\s+", re.IGNORECASE)
_EXPLAIN = re.compile(
    r"^(?:please\s+)?(?:explain|describe|discuss|introduce|present|outline)\s+(?:to me\s+)?", re.IGNORECASE
)
_HOW_OR_WHY = re.compile(r"\b(?=(?:how to|why)\s)", re.IGNORECASE)
_COMMAS = re.compile(r"\s*[,;]\s*(?:(?:and|or)\s+)?", re.IGNORECASE)
_OXFORD = re.compile(r"[,;]\s*(?:and|or)\s", re.IGNORECASE)
_AND = re.compile(r"\s+(?:and|or|&)\s+", re.IGNORECASE)
_ARTICLE = re.compile(r"^(?:the|a|an|its|their|his|her|my|our|your)\s+", re.IGNORECASE)
_SINGULAR_S = re.compile(r"(?:ss|us|is|ics|ews|as)$", re.IGNORECASE)


def number(text: str) -> int:
    """The count that matched NUMBER."""
    return NUMBERS.get(text.lower()) or int(text)


def subject(text: str) -> str | None:
    """What a text is to be about, in the request's own words; None when that is not said or not short.

    Args:
        text: the request, from the word on that names what is wanted.
    """
    titled = _TITLED.search(text)
    if titled:
        return titled[1].strip()
    for sign in (_ABOUT, _EXPLAIN, _HOW_OR_WHY):
        found = sign.search(text)
        if found:
            return phrase(text[found.end() :])
    return None


def phrase(text: str) -> str | None:
    """The words up to where a remark on the form of the text begins; None when nothing or too much is left."""
    end = _END.search(text)
    kept = (text[: end.start()] if end else text).strip(" \t\"“”'‘’.,:;!?*_`")
    return kept if 1 < len(kept) <= MAX_SUBJECT else None


def without_history(topic: str) -> str:
    """Of a history the thing that it is the history of."""
    return _HISTORY.sub("", topic) or topic


def names(text: str) -> tuple[str, ...]:
    """The names of an enumeration: `a, b and c`. Where commas divide, only the last `and` does too."""
    parts = _COMMAS.split(text)
    if len(parts) == 1:
        parts = _AND.split(text)
    elif not _OXFORD.search(text):
        parts = [*parts[:-1], *_AND.split(parts[-1], maxsplit=1)]
    trimmed = (part.strip(" \t\"\u201c\u201d'\u2018\u2019.:!?*_`()") for part in parts)
    return tuple(dict.fromkeys(_ARTICLE.sub("", part) for part in trimmed if part))


def capital(text: str) -> str:
    """The text with a capital first letter; names such as `iPhone` keep their own."""
    return text if len(text) > 1 and text[1].isupper() else text[:1].upper() + text[1:]


def plural(topic: str) -> bool:
    """Whether a verb after it is in the plural; by the look of its head noun."""
    head = re.split(r"\s+(?:of|in|for|on|with|at|from|to|as)\s+", topic, maxsplit=1)[0]
    last = head.split()[-1] if head.split() else ""
    if re.search(r"\s(?:and|&)\s", head):
        return True
    return last.islower() and len(last) > 3 and last.endswith("s") and _SINGULAR_S.search(last) is None


def slug(title: str, taken: set[str]) -> str:
    """A task id made of a title, unlike those taken; it is taken then."""
    base = "-".join(re.findall(r"[a-z0-9]+", title.lower()))[:40].strip("-") or "part"
    found, number_of_it = base, 2
    while found in taken:
        found, number_of_it = f"{base}-{number_of_it}", number_of_it + 1
    taken.add(found)
    return found
