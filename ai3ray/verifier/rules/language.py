"""The answer is in the language that the task requests, else in the task's."""

# ruff: noqa: RUF001 - letters of other alphabets are meant
from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from ai3ray.domain.call import Reply
from ai3ray.domain.plan import Task
from ai3ray.domain.verdict import Defect
from ai3ray.verifier.clean import wants_json
from ai3ray.verifier.languages import DetectedLanguage, detect_language, languages
from ai3ray.verifier.words import prompt_excerpt, prose

MIN_WORDS = 12
"""A shorter answer may be a name, a quotation, a loan word."""
MIN_WORDS_UNASKED = 40
"""The same where the prompt names no language."""
MIN_PROMPT_WORDS = 12
"""A shorter prompt does not reveal its language."""

_WRITES = re.compile(
    r"\b(?:writ|answer|repl(?:y|ies)|respon[ds]|translat|summar|compos|draft|output|re-?(?:writ|phras|tell)|render"
    r"|locali[sz]|schreib|verfass|antwort|beantwort|übersetz|écri|ecri|rédig|répon|tradu|résum|escrib|redact|resum"
    r"|scriv|rispond|riassum|vertaal|schrijf|antwoord|oversæt|översätt|skriv)"
    r"|\b(?:напиш|ответ|перевед|перевест|изложи)|写|寫|翻译|翻譯|回答|总结|書い|訳",
    re.IGNORECASE,
)
_ABOUT_LANGUAGE = re.compile(
    r"\b(?:vocab|gramma|pronunci|conjugat|declension|dictionar|glossar|idioms?\b|proverb|flash ?cards?|spelling|phrase"
    r"|etymolog|loan ?words?|dialect|quiz|lesson|learners?|teach|beginner|course|side by side|parallel|bilingual|two"
    r" columns|gloss|both (?:languages|versions|texts)|alongside|original (?:text|language|quot)|interlinear"
    r"|code.?switch|wörter|vokabel|words? (?:in|from)|how (?:do|to) (?:you )?say|explain (?:the|why|how|what) )",
    re.IGNORECASE,
)
_HINTS_AT_OTHERS = re.compile(
    r"translat|\blanguage|bilingual|\blatin\b|quot|lyrics|verbatim|original|übersetz|sprache|traduc|tradui|langue"
    r"|idioma|lengua|lingua|перев|язык|翻译|语言|говор",
    re.IGNORECASE,
)
_AFTER_NAME = (
    r"(?=\s*(?:$|[.,;:!?)\]\"'\n(，。：；、！）”“»-]|(?:and|or|und|oder|et|ou|y|e|only|with|using|that|for|about|please|so"
    r"|without|on|version|translation|language|prose|by|which|while|keep|as|at|from|verse|of (?:the|this|these"
    r"|each|all)"
    r"|to|the|this|these|each|in|über|mit|nur|bitte|sur|avec|sobre|con|su|языке|язык)\b|[\u4e00-\u9fff]))"
)
_QUALIFIED = (
    r"(?:(?:plain|simple|modern|idiomatic|natural|fluent|good|correct|clear|brazilian|european|british|american"
    r"|canadian"
    r"|us|uk|simplified|traditional|mexican|standard|formal|informal|everyday|einfaches?|gutes?|bon)\s+)?"
)
_NEGATED = re.compile(
    r"(?:(?:\bnot|n't|\bnever|\bnicht|\bpas|\bне)\b[^.!?,;\n]{0,25}|\b(?:than|statt|instead of|no)\s*|不要?用?)$",
    re.IGNORECASE,
)


def language(task: Task, reply: Reply) -> Iterator[Defect]:
    """Require the language that the task names, or its own, of running text."""
    if wants_json(task) or task.output == "code" or task.kind in {"extraction", "coding"}:
        return
    named = asked_languages(task)
    wanted = named or _own_language(task)
    if not wanted:
        return
    said = detect_language(prose(reply.text))
    enough = MIN_WORDS if named else MIN_WORDS_UNASKED
    found = _found(said, wanted) if said.words >= enough else None
    if found:
        names = " or ".join(languages()[code].name for code in sorted(wanted))
        yield Defect(part="answer", problem=f"it is in {found}; write it in {names}")


def _found(said: DetectedLanguage, wanted: frozenset[str]) -> str | None:
    """Return the text's language when it is certainly not a wanted one, else None."""
    if wanted & said.present:
        return None
    if said.leading:
        return languages()[said.leading].name
    scripts = {languages()[code].script for code in wanted} | ({"han"} if "ja" in wanted else set())
    return f"{said.script} letters" if said.script and said.script not in scripts else None


def asked_languages(task: Task) -> frozenset[str]:
    """Return the codes of the languages that the prompt demands; none when it leaves the choice."""
    prompt = prompt_excerpt(task)
    if _ABOUT_LANGUAGE.search(prompt):
        return frozenset()
    if task.kind != "translation" and not _WRITES.search(prompt):
        return frozenset()
    codes: set[str] = set()
    for found in _targets().finditer(prompt.lower()):
        if _NEGATED.search(prompt[max(0, found.start() - 40) : found.start()]):
            continue
        codes.update(_codes()[name] for name in _names().findall(found[0]) if name in _codes())
    return frozenset(codes)


def _own_language(task: Task) -> frozenset[str]:
    prompt = prompt_excerpt(task)
    if task.kind in {"translation", "summarization"} or task.depends_on or _HINTS_AT_OTHERS.search(prompt):
        return frozenset()
    read = detect_language(prose(prompt))
    if read.words < MIN_PROMPT_WORDS or read.leading is None or _names().search(prompt.lower()):
        return frozenset()
    return read.present


@cache
def _codes() -> dict[str, str]:
    return {name: code for code, known in languages().items() for name in known.names}


@cache
def _names() -> re.Pattern[str]:
    """Match any language's name, longest first; in scripts without spaces, also inside a word."""
    longest = sorted(_codes(), key=len, reverse=True)
    spaced = "|".join(map(re.escape, (name for name in longest if name[0].isalpha() and ord(name[0]) < 0x0900)))
    joined = "|".join(map(re.escape, (name for name in longest if ord(name[0]) >= 0x0900)))
    return re.compile(rf"\b(?:{spaced})\b|(?:{joined})")


@cache
def _targets() -> re.Pattern[str]:
    name = f"(?:{_names().pattern})"
    more = rf"(?:(?:\s*,\s*|\s+(?:and|or|und|oder|et|ou|y|e|и)\s+|,\s*and\s+|[和或及]){name})*"
    plain = r"(?:\b(?:auf|ins|en|al|em|på)\s+|по-|用|成|为)\s*"  # no adjective follows these
    doubtful = rf"\b(?:in|into|to|na|naar|till|til|на|для)\s+(?:the\s+)?{_QUALIFIED}"
    return re.compile(
        rf"{plain}{name}{more}|{doubtful}{name}{more}{_AFTER_NAME}"
        rf"|{name}(?=\s+(?:translation|version|übersetzung|fassung)\b)"
    )
