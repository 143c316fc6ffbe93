"""Reads what a prompt plainly demands of its answer's parts."""

# ruff: noqa: RUF001 - letters of other alphabets are meant
from __future__ import annotations

import re
from typing import Literal, NamedTuple

from ai3ray.verifier.words import ITEM

Unit = Literal["sections", "items"]

_EN = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_DE = ("eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn", "elf", "zwölf")
_FR = ("un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix", "onze", "douze")
_ES = ("uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve", "diez", "once", "doce")
_NUMBERS = {
    **{word: value for names in (_EN, _DE, _FR, _ES) for value, word in enumerate(names, 1)},
    "fifteen": 15,
    "twenty": 20,
    "a dozen": 12,
}
_NUMBER = rf"(?P<number>\d{{1,2}}|{'|'.join(sorted(_NUMBERS, key=len, reverse=True))})"
_SECTIONS = (
    r"(?:sections?|chapters?|headed parts|headings|abschnitte?n?|kapiteln?|sections?|secciones|chapitres|capítulos)"
)
_STRUCTURE = (
    r"(?:bullet(?: points?|ed items)?s?|bullets|(?:numbered |clear )?steps|numbered (?:points|items)|list items)"
)
_ITEMS = (
    r"(?:bullet(?: point)?s|points|items|steps|tips|ideas|reasons|examples|facts|questions|ways|names|titles|benefits"
    r"|risks|advantages|disadvantages|arguments|suggestions|recommendations|lessons|mistakes|rules|principles|causes"
    r"|effects|features|goals|habits|activities|topics|themes|options|strategies|techniques|methods|tools|books|films"
    r"|movies|songs|cities|countries|rivers|animals|birds|plants|trees|fruits|vegetables|recipes|dishes|colou?rs"
    r"|inventions|events|milestones|slogans|headlines|taglines|quotes|headers|challenges|trends|metrics|takeaways"
    r"|characteristics|differences|similarities|elements|factors|criteria|symptoms|exercises|gr[üu]nde|tipps|ideen"
    r"|beispiele|vorteile|nachteile|fragen|schritte|punkte|argumente|fakten|städte|raisons|conseils|idées|exemples"
    r"|avantages|étapes|arguments|faits|razones|consejos|ideas|ejemplos|ventajas|pasos|argumentos|preguntas)"
)
_VERB = (
    r"(?:please\s+|now\s+|then\s+)*(?:list|give|name|provide|create|suggest|propose|generate|produce|write|describe"
    r"|explain|identify|enumerate|outline|state|present|find|offer|recommend|share|brainstorm|compile|show|cite|draft"
    r"|nenne|liste|gib|schreibe?|erkläre|beschreibe|donne|donnez|cite|citez|liste[zr]?|énumère|écris|da|dame|nombra"
    r"|enumera|escribe|menciona|describe)\b"
)
_BETWEEN = r"(?:\s+(?:me|us|mir|uns|moi|exactly|at least|a list of|up|the|the names of|genau|mindestens|exactement))*"
_ADJECTIVES = r"(?:\s+[^\W\d]+(?:[-,][^\W\d]+)*,?){0,3}?"
_START = r"(?:^|(?<=[.!?])\s+|\n\s*(?:[-*]\s*)?)"
_COUNTED = re.compile(
    rf"{_START}{_VERB}{_BETWEEN}\s+{_NUMBER}{_ADJECTIVES}\s+(?P<noun>{_ITEMS}|{_SECTIONS})\b", re.IGNORECASE
)
_DIVIDED = re.compile(
    rf"\b(?:in|into|with|as|using|consist(?:s|ing) of|has|have|contains?)\s+(?:exactly\s+|at least\s+)?{_NUMBER}"
    rf"(?:\s+(?!of\b)[^\W\d]+){{0,2}}?\s+(?P<noun>{_STRUCTURE}|{_SECTIONS})\b",
    re.IGNORECASE,
)
_LOOSE = re.compile(
    r"(?:\bup to|\bat most|\bno more than|\bmax(?:imum)?(?: of)?|\bfewer than|\bunder|\bor|\d\s*[-–])\s*$",
    re.IGNORECASE,
)
_ASIDE = re.compile(
    r"\b(?:part|section|chapter|step|paragraph|item|piece|point)\s+(?:\d+|one|two|three|four|five)\s+(?:of"
    r"|out of|from)\b"
    r"|\b(?:belongs to|is part of|as part of|part of (?:a|the|this)|(?:for|the) context\b|for reference"
    r"|other (?:tasks?|sections?)|the (?:whole|overall|original|larger|full|entire) "
    r"|(?:article|report|document|book|guide|essay|text) (?:with|of|in|has|about)\b"
    r".{0,80}\b(?:this|your) (?:section|part|chapter|task))|\bonly the\b"
    r"|\bthis (?:section|part)\b"
    r"|\n(?:context|background):",
    re.IGNORECASE,
)
_MATERIAL = re.compile(
    r"\b(?:following|below|this|these|given|folgende[nrs]?|suivant|siguiente)\s+(?:\w+\s+){0,3}(?:text|article"
    r"|paragraph|passage|email|letter|review|transcript|message|code|document|notes|data|report|story|sentences?|comment)s?\b"
    r"[^\n]{0,60}:|<[a-z]+>|\"\"\"|```|\n---+\n|\btext:\s",
    re.IGNORECASE,
)
_BREAKS, _BLANKS = re.compile(r"\n\s+\n"), re.compile(r"[^\S\n]{2,}")
_QUOTED = re.compile(r"\"[^\"\n]{25,2000}\"|“[^”\n]{25,2000}”|«[^»\n]{25,2000}»")

_NAMES_AHEAD = re.compile(
    r"\b(?:sections?|headings?|headers?|chapters|parts|abschnitte[n]?|überschriften|sections?|secciones)"
    r"(?:\s+(?:named|called|titled|entitled|are|on|namens|intitulées|tituladas))?\s*(?:should be|must be)?\s*:?\s+"
    r"(?=[\"'“‘*A-ZÄÖÜ(])(?P<names>[^\n]{3,400})",
)
_NAMES_LISTED = re.compile(
    r"\b(?:sections?|headings?|headers?|chapters|parts|structure|elements|abschnitten?)\b[^\n.]{0,40}:[ \t]*\n"
    r"(?P<names>(?:[ \t]*(?:[-*•]|\d+[.)])[^\n]{2,120}(?:\n|$)){2,12})",
    re.IGNORECASE,
)
_QUOTED_NAME = re.compile(r"[\"“‘*']{1,2}(?P<name>[^\"“”‘’'*\n]{2,60})[\"”’*']{1,2}")
_GENERIC = (
    r"(?:introduction|conclusion|summary|abstract|background|methods?|methodology|results|discussion|overview|outlook"
    r"|recommendations|references|acknowledge?ments|appendix|glossary|faq|timeline|budget|risks|next steps)"
)
_GENERIC_LIST = re.compile(
    rf"\b(?:with|include|including|containing|contains|has|have|consisting of)\s+(?:(?:an?|the)\s+)?"
    rf"(?P<names>(?:title|heading|headline|{_GENERIC})(?:\s*(?:,|and|,\s*and)\s*(?:(?:an?|the)\s+)?(?:\w+\s+)?"
    rf"(?:{_GENERIC}|body|main part|main section|title)\b(?:\s+section)?)+)",
    re.IGNORECASE,
)


_ARRAY_OF = re.compile(
    rf"\b(?:array|list) (?:of|with) (?:exactly |at least )?{_NUMBER} (?!to\b|or\b|[-–])[a-z]", re.IGNORECASE
)


class Count(NamedTuple):
    """A number of parts that a prompt demands."""

    number: int
    unit: Unit
    noun: str
    """The prompt's word for them."""


class Demands(NamedTuple):
    """The plain demands of a prompt."""

    counts: tuple[Count, ...]
    names: tuple[str, ...]


def read_demands(prompt: str) -> Demands:
    """Read the demands; quotations and descriptions of a larger work demand nothing."""
    own = _own(prompt)
    return Demands(tuple(_counts(own)), tuple(dict.fromkeys(_names(own))))


def array_length(prompt: str) -> int:
    """Return the least number of array elements that a prompt demands, or 0."""
    found = _ARRAY_OF.search(_own(prompt))
    return _value(found["number"]) if found else 0


def _value(number: str) -> int:
    return int(number) if number.isdigit() else _NUMBERS[number.lower()]


def _own(prompt: str) -> str:
    prompt = _BLANKS.sub(" ", _BREAKS.sub("\n\n", prompt))
    for border in (_MATERIAL, _ASIDE):
        found = border.search(prompt)
        prompt = prompt[: found.start()] if found else prompt
    return _QUOTED.sub(" ", prompt)


def _counts(prompt: str) -> list[Count]:
    found = []
    for match in [*_COUNTED.finditer(prompt), *_DIVIDED.finditer(prompt)]:
        number = _value(match["number"])
        before, after = prompt[: match.start("number")], prompt[match.end("number") :]
        loose = _LOOSE.search(before[-20:]) or re.match(r"\s*(?:[-–]|to|or|bis|à|%)\s*\d?", after[:4])
        if number > 1 and not loose:
            unit: Unit = "sections" if re.fullmatch(_SECTIONS, match["noun"], re.IGNORECASE) else "items"
            found.append(Count(number, unit, match["noun"].lower()))
    return found


def _names(prompt: str) -> list[str]:
    listed = _NAMES_LISTED.search(prompt)
    if listed:
        lines = [ITEM.sub("", line) for line in listed["names"].splitlines() if line.strip()]
        return [name for line in lines if (name := _name(re.split(r"\s*[:(–]|\s-\s", line)[0]))]
    ahead = _NAMES_AHEAD.search(prompt)
    if ahead:
        return _in_line(ahead["names"])
    generic = _GENERIC_LIST.search(prompt)
    if generic:
        parts = re.split(r"\s*(?:,\s*and\s|,|\band\b)\s*", generic["names"])
        return [name for part in parts if (name := re.sub(r"^(?:an?|the)\s+|\s+section$", "", part.strip().lower()))]
    return []


def _in_line(text: str) -> list[str]:
    quoted = [match["name"] for match in _QUOTED_NAME.finditer(text)]
    if quoted:
        return [name for part in quoted if (name := _name(part))]
    sentence = re.split(r"[.;(]\s|[.;]$", text)[0]
    parts = re.split(r"\s*,\s*(?:and\s+|und\s+)?|\s+(?:and|und|et|y)\s+(?=[A-ZÄÖÜ])", sentence)
    names = [part.strip(" .;:") for part in parts]
    plain = len(names) > 1 and all(0 < len(name.split()) <= 5 and name[:1].isupper() for name in names)
    return names if plain else []


def _name(text: str) -> str:
    name = text.strip(" .,;:*\"'“”")
    return name if 1 <= len(name.split()) <= 6 else ""
