"""Detects the language of a text: by its script, then by its most frequent short words.

Source: the small-word technique (Grefenstette, 1995). It needs some twenty words.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path
from typing import NamedTuple

from ai3ray.verifier.words import words

_SCRIPTS = {
    "latin": re.compile(r"[A-Za-z\u00c0-\u024f\u1e00-\u1eff]"),
    "cyrillic": re.compile(r"[\u0400-\u052f]"),
    "greek": re.compile(r"[\u0370-\u03ff\u1f00-\u1fff]"),
    "han": re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"),
    "kana": re.compile(r"[\u3040-\u30ff]"),
    "hangul": re.compile(r"[\uac00-\ud7af\u1100-\u11ff]"),
    "arabic": re.compile(r"[\u0600-\u06ff]"),
    "hebrew": re.compile(r"[\u0590-\u05ff]"),
    "devanagari": re.compile(r"[\u0900-\u097f]"),
    "thai": re.compile(r"[\u0e00-\u0e7f]"),
}
MAIN_SCRIPT = 0.9
"""Share of the letters that makes a script the text's own."""
_APOSTROPHE = re.compile(r"['\u2019]")  # l'eau, dell'acqua: the article counts
MIN_DENSITY = 0.15
"""Share of function words that running text has in its own language, and only there."""
MIN_HITS = 5
"""Fewer function words may be chance."""
TRACE = 0.5
"""A language with this part of the leading one's share is also in the text."""


class Language(NamedTuple):
    """A known language."""

    code: str
    """ISO 639-1."""
    name: str
    names: tuple[str, ...]
    """As prompts write them, in lower case."""
    script: str
    words: frozenset[str]
    """Function words; none when its script identifies it."""


class DetectedLanguage(NamedTuple):
    """The languages of one text."""

    words: int
    leading: str | None
    """Code of the text's main language; None when uncertain."""
    present: frozenset[str]
    """Codes of all languages that may be in it, including close relatives of the leading one."""
    script: str | None = None
    """The script of nearly all of its letters, if there is one."""


@cache
def languages() -> dict[str, Language]:
    """Return the languages of `languages.toml` by code."""
    data = tomllib.loads((Path(__file__).parent / "languages.toml").read_text(encoding="utf-8"))
    return {
        code: Language(code, table["name"], tuple(table["names"]), table["script"], frozenset(table["words"].split()))
        for code, table in data.items()
    }


def detect_language(text: str) -> DetectedLanguage:
    """Detect the languages of prose; code, tables and addresses blur the result."""
    found = words(_APOSTROPHE.sub(" ", text))
    letters = _letters(text)
    total = sum(letters.values())
    if not total or not found:
        return DetectedLanguage(len(found), None, frozenset())
    counts = Counter(found)
    shares: dict[str, float] = {}
    leaders: list[str] = []
    for language in languages().values():
        if language.words:
            hits = language.words & counts.keys()
            number = sum(counts[word] for word in hits)
            shares[language.code] = sum(counts[word] * _weights()[word] for word in hits) / len(found)
            sure = number >= MIN_HITS and number >= MIN_DENSITY * len(found)
        else:
            shares[language.code] = letters.get(language.script, 0) / total
            sure = shares[language.code] > 1 / 2
        if sure:
            leaders.append(language.code)
    leading = max(leaders, key=shares.__getitem__, default=None)
    floor = TRACE * (shares[leading] if leading else MIN_DENSITY)
    present = frozenset(code for code, share in shares.items() if share >= floor)
    script = next((name for name, count in letters.items() if count >= MAIN_SCRIPT * total), None)
    return DetectedLanguage(len(found), leading, present, script)


@cache
def _weights() -> dict[str, float]:
    """Weigh function words: the more languages share one, the less it counts."""
    owners = Counter(word for language in languages().values() for word in language.words)
    return {word: 1 / number for word, number in owners.items()}


def _letters(text: str) -> dict[str, int]:
    if text.isascii():
        return {"latin": sum(map(str.isalpha, text))}
    letters = {script: count for script, sign in _SCRIPTS.items() if (count := len(sign.findall(text)))}
    if letters.get("kana", 0) * 10 > sum(letters.values()):  # Japanese mixes kana with Chinese characters
        letters["kana"] += letters.pop("han", 0)
    return letters
