"""Plans without a model: a request's kind, counts and names are read by its words, its parts come from templates.

For models that can write a paragraph and cannot plan. Whatever no shape below fits runs as one task.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from ai3ray.domain.assembly import Assembly
from ai3ray.domain.plan import Kind, Task, TaskGraph
from ai3ray.domain.request import RunRequest
from ai3ray.planner.wording import (
    MAX_NAME,
    NUMBER,
    capital,
    names,
    number,
    phrase,
    plural,
    slug,
    subject,
    without_history,
)
from ai3ray.settings.packaged import configs_dir

LONGEST = 1500
"""Characters of a request that is read for a shape; a longer one brings the text that it is about."""
SECTIONS = 3
"""Parts of a long text when the request does not say how many."""
SHORT_SUBJECT = 3
"""Words of a subject that can be asked what it is."""


class PlannedPart(NamedTuple):
    """One task before it has an id."""

    title: str
    """Its title."""
    prompt: str
    """Its prompt."""


class Shape(NamedTuple):
    """What a request turned out to be."""

    parts: Sequence[PlannedPart]
    """Its parts, in the reader's order."""
    kind: Kind
    """The kind of all of them; `other` when each has its own."""
    chain: bool = False
    """Whether each part reads the one before it."""
    headed: bool = True
    """Whether the parts' titles are headings of the answer."""


def template_plan(request: RunRequest) -> TaskGraph:
    """The plan of a request. Pure: the same request has the same plan.

    Args:
        request: what is wanted; `max_tasks` bounds the plan, `assembly` overrides the template's.
    """
    prompt = request.prompt.strip()
    shape = None if request.context or len(prompt) > LONGEST else _shape(prompt)
    limit = request.max_tasks or len(prompt)
    if shape is None or len(shape.parts) < 2 or (shape.chain and len(shape.parts) > limit):
        shape = Shape([PlannedPart("Answer", request.prompt)], "other", headed=False)
    tasks = _tasks(shape, limit)
    assembly: Assembly = "concat" if len(tasks) > 1 and not shape.chain else "last"
    return TaskGraph(tasks=tasks, assembly=request.assembly or assembly)


def _shape(prompt: str) -> Shape | None:
    """The first shape that fits."""
    found = (read(prompt) for read in _READERS)
    return next((shape for shape in found if shape is not None), None)


def _tasks(shape: Shape, limit: int) -> tuple[Task, ...]:
    tasks: list[Task] = []
    taken: set[str] = set()
    for part in shape.parts[:limit]:
        task_id = slug(part.title, taken)
        before = (tasks[-1].id,) if shape.chain and tasks else ()
        title = part.title if shape.headed else task_id  # a title that is the id makes no heading
        kind = _kind(part.prompt) if shape.kind == "other" else shape.kind
        tasks.append(Task(id=task_id, title=title, prompt=part.prompt, kind=kind, depends_on=before, tier="small"))
    return tuple(tasks)


# ── shapes ───────────────────────────────────────────────────────────────────────────────────────

_POLITE = re.compile(
    r"^(?:(?:please|hi|hello|hey|ok|now)\b[\s,!.]*|(?:can|could|would|will) you (?:please )?|i(?:'d| would) like you to "
    r"|i (?:need|want) you to |help me (?:to )?)+",
    re.IGNORECASE,
)
_WORKS_ON_TEXT = re.compile(
    r"^(?:summari[sz]e|translate|proofread|correct|rewrite|rephrase|paraphrase|edit|shorten|extract|classify|fix|improve"
    r"|review|convert|tl;?dr|turn|explain (?:this|the following)|what)\b",
    re.IGNORECASE,
)
_LINE = re.compile(r"^\s*(?:\d{1,2}[.)]|[-*•])\s+(\S.*?)\s*$", re.MULTILINE)
_CHAIN = re.compile(
    r"^(?:first(?:ly)?|step one)\b[,:]?\s+(.+?)(?:[.;,]\s*|\s+)(?:and\s+)?(?:then|second(?:ly)?|next|after that)\b,?\s+(.+)$",
    re.IGNORECASE | re.DOTALL,
)
_THEN = re.compile(
    r"(?:[.;,]\s*|\s+)(?:and\s+)?(?:then|next|after that|afterwards|third(?:ly)?|fourth(?:ly)?|finally|lastly|at the end"
    r"|in the end)\b,?\s+",
    re.IGNORECASE,
)
_DEED = re.compile(
    r"^(?:write|summari[sz]e|translate|list|explain|describe|compare|compose|draft|create|make|find|name|give|pick|choose"
    r"|turn|rewrite|shorten|extract|count|suggest|invent|think|imagine|outline|plan|generate|design|tell|answer|collect"
    r"|brainstorm|rank|add|convert|review|analy[sz]e|propose|identify|define|present|select|do|put|combine|evaluate)\b",
    re.IGNORECASE,
)
_SIDES = re.compile(
    r"\b(?:pros (?:and|&) cons|advantages and disadvantages|benefits and (?:drawbacks|risks)|upsides and downsides)"
    r"\s+(?:of|to|for)\s+(.+)",
    re.IGNORECASE,
)
_COMPARE = re.compile(
    r"\b(?:compare|contrast|comparison (?:of|between)|comparing)\s+(?:and contrast\s+)?(?:the\s+)?(.+)", re.IGNORECASE
)
_VERSUS = re.compile(r"^(?:.*?\b(?:about|on|write)\s+)?(.+?\s+(?:vs\.?|versus)\s+.+)", re.IGNORECASE)
_PURPOSE = re.compile(r"\s+(?=(?:for|in terms of|with respect to|in|as|when|if|on|by|regarding)\s)", re.IGNORECASE)
_AGAINST = re.compile(r"\s+(?:vs\.?|versus|with|to|against)\s+", re.IGNORECASE)
_NAMED = re.compile(
    r"\b(?:sections?|parts?|chapters?|headings?|paragraphs?)\s*(?:(?:on|about|for|covering|named|called|titled)\b|:)\s*"
    r"(?:each of\s+)?(?:the following:?\s*)?(.+)",
    re.IGNORECASE,
)
_COVERING = re.compile(r"\b(?:that covers|covering|which covers|touching on)\s+(.+)", re.IGNORECASE)
_COUNTED = re.compile(
    rf"\b({NUMBER})[\s-]+(?:(?:short|brief|long|main|clear|different|distinct|separate|equal|numbered)\s+)?"
    r"(section|part|chapter|paragraph)s?\b",
    re.IGNORECASE,
)
_DOCUMENT = re.compile(
    r"^(?:write|draft|create|compose|generate|produce|make|prepare|give|i (?:need|want)|need)\s+(?:(?:me|us)\s+)?"
    r"(?:(?:an?|the|my|our|some)\s+)?((?:[\w'-]+\s+){0,5}?)"
    r"(blog\s?-?posts?|blog articles?|articles?|essays?|reports?|white\s?papers?|features?|guides?|tutorials?|newsletters?"
    r"|presentations?|handbook|primer|stor(?:y|ies))\b(.*)$",
    re.IGNORECASE | re.DOTALL,
)
_NOT_THE_DOCUMENT = re.compile(
    r"\b(?:for|of|about|to|from|on|in|short|brief|tiny|mini|quick|title|titles|outline|idea|ideas|intro|introduction"
    r"|conclusion|headline|headlines|summary|review|one|single|\d+-word)\b",
    re.IGNORECASE,
)
_FEW_WORDS = re.compile(
    r"\b(?:([1-9]\d?|1\d\d|2[0-4]\d)[\s-]+words?|one paragraph|a paragraph|one page"
    r"|(?:1|one|single)[\s-]+(?:section|part|chapter))\b",
    re.IGNORECASE,
)
_HOW_TO = re.compile(
    r"^(?:.*?\b(?:guide|tutorial|instructions|manual|steps?|explain|describe|show me|article|post)\b.{0,40}?\b)?"
    r"(?:how to|on how one can|for how to)\s+(.+)",
    re.IGNORECASE,
)


def _listed(prompt: str) -> Shape | None:
    """Several numbered requests: each on its own, under the words that stand before them."""
    lines = list(_LINE.finditer(prompt))
    if len(lines) < 2 or not all(_is_request(line[1]) for line in lines):
        return None
    lead = prompt[: lines[0].start()].strip()
    if prompt[lines[-1].end() :].strip():
        return None
    parts = [PlannedPart(_title(line[1]), f"{lead}\n\n{line[1]}" if lead else line[1]) for line in lines]
    return Shape(parts, "other")


def _chained(prompt: str) -> Shape | None:
    """`First … then … finally …`: each step reads the one before it."""
    bare = _POLITE.sub("", prompt)
    found = _CHAIN.match(bare)
    first, rest = (found[1], found[2]) if found else ("", "")
    steps = [first, *_THEN.split(rest)] if found else _THEN.split(bare)
    steps = [_POLITE.sub("", step).strip(" \t\n.,;") for step in steps]
    if len(steps) < 2 or not all(step and _DEED.match(step) for step in steps):
        return None
    return Shape([PlannedPart(_title(step), f"{capital(step)}.") for step in steps], "other", chain=True)


def _two_sides(prompt: str) -> Shape | None:
    """Pros and cons: one task each."""
    found = _SIDES.search(prompt)
    topic = phrase(found[1]) if found else None
    return Shape(_filled(_templates()["sides"], topic), "analysis") if topic else None


def _compared(prompt: str) -> Shape | None:
    """A comparison: one task for each thing, one for all of them."""
    found = _COMPARE.search(prompt) or _VERSUS.match(_POLITE.sub("", prompt))
    what = phrase(found[1]) if found else None
    if what is None:
        return None
    first, *rest = _PURPOSE.split(what, maxsplit=1)
    purpose = f" {rest[0]}" if rest else ""
    things = [name for piece in _AGAINST.split(first) for name in names(piece)]
    if not 2 <= len(things) <= 8 or any(len(name.split()) > 6 for name in things):
        return None
    slots = {"purpose": purpose, "names": f"{', '.join(things[:-1])} and {things[-1]}"}
    each = [_fill(_templates()["compared"], slots | _name(thing)) for thing in things]
    return Shape([*each, _fill(_templates()["comparison"], slots)], "analysis")


def _named_sections(prompt: str) -> Shape | None:
    """`with sections on X, Y and Z`: those, in that order."""
    bare = _POLITE.sub("", prompt)
    if _WORKS_ON_TEXT.match(bare):
        return None
    found = _NAMED.search(bare) or (_COVERING.search(bare) if _DOCUMENT.match(bare) else None)
    if found is None:
        return None
    listed = names(re.split(r"[.!?\n](?:\s|$)|\swith\s", found[1], maxsplit=1)[0])
    if len(listed) < 2 or any(len(name) > MAX_NAME for name in listed):
        return None
    topic = subject(bare[: found.start()].removesuffix("with "))
    template = _templates()["named"]
    form = {"title": template["title"], "prompt": template["prompt" if topic else "alone"]}
    return Shape([_fill(form, _name(name) | {"topic": topic or ""}) for name in listed], "writing")


def _counted_sections(prompt: str) -> Shape | None:
    """`3-section`, `in four parts`: so many parts of the subject."""
    bare = _POLITE.sub("", prompt)
    found = _COUNTED.search(bare)
    if found is None or _WORKS_ON_TEXT.match(bare):
        return None
    count, unit = number(found[1]), found[2].lower()
    topic = subject(bare)
    if topic is None or count < 2:
        return None
    story = re.search(r"\b(?:story|tale|novel|fable)\b", bare, re.IGNORECASE)
    parts = _aspects(_templates()["story"]["parts"], topic, count) if story else _sections(topic, count)
    return Shape(parts, "writing", headed=unit != "paragraph")


def _how_to(prompt: str) -> Shape | None:
    """A guide: what is needed, the steps, the mistakes. A question is no guide."""
    bare = _POLITE.sub("", prompt)
    found = _HOW_TO.match(bare)
    deed = phrase(found[1]) if found and not bare.endswith("?") else None
    return Shape(_filled(_templates()["guide"]["parts"], deed), "writing") if deed else None


def _document(prompt: str) -> Shape | None:
    """A long text without a count: as many sections as it takes to show a plan."""
    found = _DOCUMENT.match(_POLITE.sub("", prompt))
    if found is None or _NOT_THE_DOCUMENT.search(found[1]) or _FEW_WORDS.search(prompt):
        return None
    topic = subject(found[3])
    if topic is None or found[2].lower().startswith("stor"):
        return None
    return Shape(_sections(topic, SECTIONS), "writing")


_READERS: tuple[Callable[[str], Shape | None], ...] = (
    _listed,
    _chained,
    _named_sections,
    _counted_sections,
    _two_sides,
    _compared,
    _how_to,
    _document,
)


# ── parts ────────────────────────────────────────────────────────────────────────────────────────


def _sections(topic: str, count: int) -> list[PlannedPart]:
    """So many parts of a text about the topic."""
    fits = (entry for entry in _templates()["subjects"] if _fits(entry, topic))
    chosen = next(fits)
    if chosen["name"] == "history":
        topic = without_history(topic)
    elif chosen.get("question"):
        topic = topic[0].lower() + topic[1:]
    return _aspects(chosen["parts"], topic, count)


def _fits(entry: Mapping[str, Any], topic: str) -> bool:
    if entry.get("question"):
        return re.match(r"(?:how|why|what|when|where|who|whether)\s", topic, re.IGNORECASE) is not None
    if entry.get("short"):
        return len(topic.split()) <= SHORT_SUBJECT and not re.search(r"\b(?:of|how|why|to)\b", topic, re.IGNORECASE)
    words = entry.get("words")
    return words is None or any(re.search(rf"\b{re.escape(word)}\b", topic, re.IGNORECASE) for word in words)


def _aspects(parts: Sequence[Mapping[str, Any]], topic: str, count: int) -> list[PlannedPart]:
    """Those parts that belong to a text of so many, and further ones when the template has fewer."""
    chosen = _filled((part for part in parts if part["from"] <= count), topic)
    more = _filled((part for part in _templates()["more"]["parts"] if part["from"] <= count - len(chosen)), topic)
    left = count - len(chosen) - len(more)
    further = (_fill(_templates()["further"], _about(topic) | {"number": str(n + 1)}) for n in range(left))
    return [*chosen, *more, *further]


def _filled(templates: Iterable[Mapping[str, Any]], topic: str) -> list[PlannedPart]:
    return [_fill(template, _about(topic)) for template in templates]


def _about(topic: str) -> dict[str, str]:
    several = plural(topic)
    return {
        "topic": topic,
        "Topic": capital(topic),
        "is": "are" if several else "is",
        "matters": "matter" if several else "matters",
        "works": "work" if several else "works",
    }


def _name(name: str) -> dict[str, str]:
    return {"name": name, "Name": capital(name)}


def _fill(template: Mapping[str, Any], slots: Mapping[str, str]) -> PlannedPart:
    title, prompt = (
        re.sub(r"\{\{(\w+)\}\}", lambda slot: slots[slot[1]], template[key]) for key in ("title", "prompt")
    )
    return PlannedPart(title, prompt)


@cache
def _templates() -> dict[str, Any]:
    return tomllib.loads((configs_dir() / "templates.toml").read_text(encoding="utf-8"))


# ── words ────────────────────────────────────────────────────────────────────────────────────────

_KINDS: tuple[tuple[str, Kind], ...] = (
    (r"\btranslat|\bin (?:french|german|spanish|italian|portuguese|dutch|japanese|chinese)\b", "translation"),
    (r"\bsummari[sz]|\btl;?dr\b|\bin one sentence\b|\bshorten\b", "summarization"),
    (
        r"\b(?:python|javascript|typescript|java|rust|sql|regex|bash|html|css|code|function|script|program|bug)\b",
        "coding",
    ),
    (r"\bextract\b|\bfind all\b|\bclassify\b", "extraction"),
    (r"\b(?:compare|analy[sz]e|pros and cons|evaluate)\b", "analysis"),
    (r"\b(?:calculate|solve|prove|how many|how much|puzzle)\b|\d\s*[-+*/x]\s*\d", "reasoning"),
    (r"\b(?:write|draft|compose|poem|story|letter|email|haiku|speech|post|essay|slogan|joke)\b", "writing"),
)


def _kind(prompt: str) -> Kind:
    head = prompt[:400]
    return next((kind for words, kind in _KINDS if re.search(words, head, re.IGNORECASE)), "other")


def _is_request(line: str) -> bool:
    return line.endswith("?") or _DEED.match(line) is not None


def _title(step: str) -> str:
    """The first words of a step."""
    line = " ".join(step.split())
    return capital(line if len(line) <= MAX_NAME else f"{line[: MAX_NAME - 1].rsplit(' ', 1)[0]}…")
