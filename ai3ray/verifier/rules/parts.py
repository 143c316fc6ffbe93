"""The answer has the parts that the task demands by number or by name.

Only visible structure is measured: two headings of three mean a forgotten one, none may mean running text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from ai3ray.domain.call import Reply
from ai3ray.domain.plan import Task
from ai3ray.domain.verdict import Defect
from ai3ray.verifier.clean import wants_json
from ai3ray.verifier.demands import Count, array_length, read_demands
from ai3ray.verifier.outline import Outline, read_outline
from ai3ray.verifier.rules.json_schema import parse_json
from ai3ray.verifier.words import prompt_excerpt, words

_SYNONYMS = (
    {"introduction", "intro", "einleitung", "einführung", "introducción", "overview", "opening", "background"},
    {"conclusion", "conclusions", "summary", "closing", "fazit", "schluss", "conclusión", "outlook", "takeaways",
     "takeaway", "wrap", "final", "zusammenfassung", "bottom", "epilogue", "verdict"},
    {"risks", "risk", "risiken", "dangers", "threats"},
    {"references", "sources", "bibliography", "literature", "reading"},
    {"recommendations", "recommendation", "advice", "suggestions"},
)  # fmt: skip
_CLOSING = re.compile(
    r"(?:^|\n)[\W_]{0,9}(?:in (?:conclusion|summary|short|the end|closing|sum)|to (?:conclude|sum up"
    r"|summari[sz]e|close)|overall"
    r"|ultimately|finally|all in all|taken together|therefore|thus|so,|as (?:we have seen|a result))\b",
    re.IGNORECASE,
)
_OPEN_PARTS = frozenset({"body", "main part", "main section"})
"""Parts without a heading of their name in the answer."""


def parts(task: Task, reply: Reply) -> Iterator[Defect]:
    """Require as many sections or items as demanded, and each named section."""
    if wants_json(task):
        yield from _array(task, reply.text)
        return
    if task.output == "code" or task.kind in {"extraction", "translation"}:
        return
    demands = read_demands(prompt_excerpt(task))
    if not demands.counts and not demands.names:
        return
    outline = read_outline(reply.text)
    for count in demands.counts:
        yield from _counted(count, outline, reply.text)
    yield from _named(demands.names, outline, reply.text)


def _array(task: Task, text: str) -> Iterator[Defect]:
    number = array_length(prompt_excerpt(task))
    if not number or (task.checks and task.checks.json_schema):
        return
    value, problem = parse_json(text)
    if problem is None and isinstance(value, list) and 0 < len(value) < number:
        yield Defect(part="answer", problem=f"the array has {len(value)} of {number} elements; add the missing ones")


def _counted(count: Count, outline: Outline, text: str) -> Iterator[Defect]:
    if count.unit == "sections":
        found = most = outline.sections if outline.sections > 1 else count.number
    else:
        found = outline.items
        loose = outline.lines - bool(outline.title) if found == 1 else 0
        blocks = 0 if outline.numbered else outline.paragraphs
        pieces = [piece.split() for piece in re.split(r"[,;\n]|\band\b", text) if piece.strip()]
        in_line = len(pieces) if sum(map(len, pieces)) <= 4 * len(pieces) else 0  # short pieces: a list within a line
        most = max(found, len(outline.headings), len(outline.labels), loose, blocks, in_line)
    if not found or most >= count.number:
        return
    yield Defect(part="answer", problem=f"it has {found} of the {count.number} {count.noun} asked for; add the others")


def _named(names: tuple[str, ...], outline: Outline, text: str) -> Iterator[Defect]:
    """Report named parts that are not headings, when other parts are."""
    visible = [_stems(heading) for heading in (*outline.headings, *outline.labels)]
    wanted = [name for name in names if name not in _OPEN_PARTS and not _is_title(name)]
    there = [name for name in wanted if _among(name, visible)]
    if any(_is_title(name) for name in names) and not outline.title and (there or len(outline.headings) > 1):
        yield Defect(part="title", problem="the title is missing; put one over the text")
    if not there and len(outline.headings) < 2:
        return
    for name in wanted:
        if name not in there and not _told(name, text, outline, among_others=2 * len(there) >= len(wanted) - 1):
            number = names.index(name) + 1
            yield Defect(part=f"section {number}", problem=f"section {number} {name!r} is missing; write it")


def _told(name: str, text: str, outline: Outline, *, among_others: bool) -> bool:
    stems = _stems(name)
    if stems & _stems("introduction"):  # text before the first heading below the title
        before = text.partition(outline.headings[1])[0] if len(outline.headings) > 1 else text
        return len(words(before)) >= len(words(outline.title)) + 10
    if stems & _stems("conclusion summary") and _CLOSING.search(text[-1_500:]):
        return True
    return not among_others and stems <= _stems(text)


def _is_title(name: str) -> bool:
    return name.lower() in {"title", "heading", "headline", "titel", "titre", "título"}


def _among(name: str, visible: list[frozenset[str]]) -> bool:
    stems = _stems(name)
    if len(stems) == 1:
        related = [group for group in _stem_groups() if stems & group]
        return any(stems <= have or any(have & group for group in related) for have in visible)
    return any(stems <= have for have in visible)


@cache
def _stem_groups() -> tuple[frozenset[str], ...]:
    return tuple(_stems(" ".join(group)) for group in _SYNONYMS)


def _stems(text: str) -> frozenset[str]:
    """Return words without their endings; short words only when all are short."""
    found = words(text)
    return frozenset(word[:6] for word in found if len(word) > 3) or frozenset(found)
