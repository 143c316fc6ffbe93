"""The answer has no marks of unfinished work."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ai3ray.domain.call import Reply
from ai3ray.domain.plan import Task
from ai3ray.domain.verdict import Defect
from ai3ray.verifier.words import excerpt, prompt_excerpt, shortened

_PIECE = (
    r"(?:section|passage|part|paragraph|chapter|text|answer|page|function|method|class|block|list|table|field|item"
    r"|entry)"
)
_UNFINISHED = (
    r"(?:unfinished|incomplete|(?:left|kept) (?:blank|empty|open|out|unfinished|incomplete)|under construction|a stub"
    r"|(?:to be |yet to be |still to be )(?:written|completed|added|done|determined|filled|decided|expanded|defined)"
    r"|(?:be )?(?:written|completed|added|filled in|expanded|implemented|provided) (?:later|soon|here|separately))"
)
_BRACKETED = re.compile(
    r"[\[{<(]{1,2}\s*(?:"
    r"(?:please )?(?:insert|add|enter|fill in|put|place|include|describe|provide|specify|list|continue|write|your)\b"
    r"[^\[\]{}<>()\n]{0,80}\bhere\b[^\[\]{}<>()\n]{0,20}"
    r"|(?:insert|fill in|to be (?:added|completed|inserted|determined|filled|written))\b[^\[\]{}<>()\n]{0,80}"
    r"|hier (?:bitte )?[^\[\]{}<>()\n]{0,40}(?:einfügen|ergänzen|eintragen)|[^\[\]{}<>()\n]{0,40}einfügen"
    r"|(?:insérer|insérez|insertar|inserte|inserire)\b[^\[\]{}<>()\n]{0,60}"
    r"|(?-i:TODO)\b[^\[\]{}<>()\n]{0,80}|(?-i:TBD|TBC)|PLACEHOLDER|placeholder(?: text)?|citation needed|source needed"
    r")\s*[\]}>)]{1,2}",
    re.IGNORECASE,
)
_MARKED = re.compile(r"^[\W_]{0,10}(?:TODO|FIXME|TBD)\b(?: ?: *\S|[ \t]{0,9}$| ?\([\w ]{1,40}\))", re.MULTILINE)
_COMMENT = re.compile(
    r"(?:#|//|/\*|--|<!--|;|%)(?-i: *(?:TODO|FIXME)| +XXX)\b"
    r"|(?:#|//|/\*|<!--) {0,4}(?:\.{3}|…)? {0,4}(?:(?:your|rest of (?:the|your)|remaining|existing|actual|more"
    r"|other|add your"
    r"|insert|add|put|write|implement) +(?:\w+ +){0,3}?(?:code|logic|implementation|methods|functions)"
    r"(?: +(?:goes|go|remains?|stays?|is|are|as before|unchanged|here|omitted|below|continues)\b| *(?:\.{3}|…|$"
    r"|-->|\*/))"
    r"|implement(?:ation)? (?:this|me|here|goes here|omitted|left as an exercise|later))",
    re.IGNORECASE | re.MULTILINE,
)
_SAID = re.compile(
    rf"(?:^|[\"\n#/>*:(]\s{{0,9}}|[.!?]\s{{1,4}})(?:[A-Z]{{3,12}}: ?)?(?:this|the (?:rest|remainder) of (?:this"
    rf"|the)|diese[rs]?)"
    rf" {_PIECE} (?:is|was|has been|will|remains|still needs|needs|must|should) (?:be |to )?(?:\w+ )?{_UNFINISHED}"
    r"|(?:^|\n)[\W_]{0,9}(?:content|text|details?|description) (?:goes|to be added|to come"
    r"|will be added) (?:here|later|soon)"
    r"|(?:^|\n)[\W_]{0,9}(?:to be continued|coming soon|more to come|work in progress)[\W_]{0,9}$",
    re.IGNORECASE,
)
_LATIN = re.compile(r"lorem ipsum dolor", re.IGNORECASE)
_MEANT = re.compile(
    r"template|placeholder|skeleton|scaffold|boilerplate|\bstubs?\b|exercise|fill.?in|lorem|ipsum|filler|dummy|mock.?up"
    r"|wireframe|to.?do\b|\btbd\b|fixme|unfinished|incomplete|draft form|blank form|cloze|vorlage|platzhalter"
    r"|lückentext"
    r"|modèle|plantilla|serial|cliffhanger|to be continued|code review|linter|fan ?fiction chapter|mad libs",
    re.IGNORECASE,
)


def placeholder(task: Task, reply: Reply) -> Iterator[Defect]:
    """Forbid marks of unfinished work, unless the task is about such marks."""
    if _MEANT.search(prompt_excerpt(task)):
        return
    text = excerpt(reply.text)
    for sign in (_BRACKETED, _MARKED, _COMMENT, _SAID, _LATIN):
        found = sign.search(text)
        if found:
            begin = found.end() - len(found[0].lstrip())
            line = text.count("\n", 0, begin) + 1
            said = shortened(text[begin : begin + 200].partition("\n")[0])
            yield Defect(part="answer", problem=f"line {line} is unfinished ({said!r}): write out what belongs there")
            return
