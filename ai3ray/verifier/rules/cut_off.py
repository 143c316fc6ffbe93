"""The answer does not stop inside a sentence or a block."""

# ruff: noqa: RUF001 - letters of other alphabets are meant
from __future__ import annotations

import re
from collections.abc import Iterator

from ai3ray.domain.call import Reply
from ai3ray.domain.plan import Task
from ai3ray.domain.verdict import Defect
from ai3ray.prompts.markdown import outside, unclosed
from ai3ray.verifier.clean import wants_json
from ai3ray.verifier.words import ITEM, excerpt, prompt_excerpt, words

MIN_WORDS = 40
"""A shorter text may end in any way."""
MIN_LINE_WORDS = 12
"""A last line this long is a sentence, not a signature or a title."""
MIN_HANGING_WORDS = 5
"""The same for a line with a last word that needs another one."""
MIN_ENDED = 3
"""With fewer proper ends of lines, the author uses no full stops."""

_ENDS = re.compile(r"[.!?…。！？;:：；)\]}）】」』»\"'\u201d\u2019\u201c*_`~>|=†‡♪♥\d%€$£#/\\-]$|[^\w\s,，、]$")
_COMMA = re.compile(r"[,，、]$")
_HANGING = re.compile(
    r"\b(?:the|a|an|of|and|or|to|with|for|from|by|that|which|because|is|are|was|were|as|at|than|their|its|into"
    r"|this|these"
    r"|der|die|das|den|dem|des|und|oder|mit|für|von|zu|dass|weil|ist|sind|ein|eine|einer|einem|einen|durch|sowie"
    r"|le|la|les|un|une|des|du|et|ou|avec|pour|que|qui|dans|sur|est|sont|el|los|las|una|y|con|para|por|del|il|lo|gli"
    r"|che|di|e|per|è|и|в|на|с|что|для|или|не|от|к)$",
    re.IGNORECASE,
)
_MEANT = re.compile(
    r"unfinished|incomplete|cliff.?hanger|mid.?sentence|fragment|trail(?:s|ing)? off|cut (?:off|short)|breaks? off|poem"
    r"|poetry|haiku|song|lyric|verse|stanza|opening|first (?:half|line|part|sentence)|to be continued|interrupt"
    r"|complete (?:the|this|my) sentence|sentence starter|headline|no (?:full stops|periods|punctuation)"
    r"|without (?:full stops|periods|punctuation)|keywords?|hashtag|stream.of.consciousness|unvollendet"
    r"|abbrechen|gedicht",
    re.IGNORECASE,
)
_SPACELESS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_LABEL = re.compile(r"^[^\s.!?:]+(?:\s[^\s.!?:]+){0,3}:\s")


def cut_off(task: Task, reply: Reply) -> Iterator[Defect]:
    """Forbid prose that ends inside a sentence or inside a fenced block."""
    if wants_json(task) or task.output == "code" or task.kind == "extraction" or _MEANT.search(prompt_excerpt(task)):
        return
    if task.output == "text" and unclosed(reply.text):
        yield Defect(part="end of the answer", problem="a code fence is opened and never closed; finish the block")
        return
    text = outside(excerpt(reply.text), "```")
    last = _last_line(text)
    wanted = [text.strip().casefold() for text in (task.checks.must_include if task.checks else ())]
    demanded = any(end and last.casefold().endswith(end) for end in wanted)
    if last and len(words(text)) >= MIN_WORDS and not demanded and _stops_short(last, text):
        said = " ".join(last.split()[-6:]) if not _SPACELESS.search(last) else last[-15:]
        problem = f"it stops in the middle of a sentence, after {said!r}; finish it"
        yield Defect(part="end of the answer", problem=problem)


def _last_line(text: str) -> str:
    last = excerpt(text.rstrip(), 4_000).rpartition("\n")[2].strip()
    final = last.rpartition(" ")[2]
    address = "://" in final or "@" in final or "." in final
    return "" if address or last.startswith(("#", "|", ">", "@")) else last


def _stops_short(last: str, text: str) -> bool:
    if _ENDS.search(last):
        return False
    others = text.rstrip()[: -len(last)] + "\n".join(re.findall(r".*[.!?。！？](?=\s|\S)", last))
    if len(re.findall(r"\w{2}[.!?…。！？][\"'\u201d\u2019\u00bb)*_]*(?=\s|$|[^\W\d_])", others)) < MIN_ENDED:
        return False
    hanging = bool(_HANGING.search(last) or _COMMA.search(last))
    size = len(words(last))
    if ITEM.match(last) or _LABEL.match(last):
        return hanging and size >= MIN_HANGING_WORDS and bool(_HANGING.search(last))
    if size < (MIN_HANGING_WORDS if hanging else MIN_LINE_WORDS):
        return False
    lines = [line.strip() for line in excerpt(others, 8_000).splitlines()]
    long = [line for line in lines if len(words(line)) >= MIN_LINE_WORDS]
    return sum(bool(_ENDS.search(line)) for line in long) >= 0.9 * len(long)
