"""Plans without a model, for models that can write a paragraph but cannot plan.

A request's counts and names are read by its words; its parts come from templates. Other requests run as one task.
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
from ai3ray.planner.wording import MAX_NAME, NUMBER, capital, names, number, phrase, plural, slug, subject
from ai3ray.settings.packaged import configs_dir

LONGEST = 1500
"""Characters; a longer request includes the text that it is about."""


class PlannedPart(NamedTuple):
    """One task before it has an id."""

    title: str
    prompt: str


class Shape(NamedTuple):
    """The form of the answer that a request demands."""

    parts: Sequence[PlannedPart]
    """In the reader's order."""
    kind: Kind
    """The kind of all parts; `other` when each has its own."""
    chain: bool = False
    """True if each part reads the one before it."""


def template_plan(request: RunRequest) -> TaskGraph:
    """Plan a request within its `max_tasks`. Pure: the same request has the same plan."""
    prompt = request.prompt.strip()
    limit = request.max_tasks or len(prompt)
    shape: Shape | None = None
    if not request.context and len(prompt) <= LONGEST:
        bare = _POLITE.sub("", prompt)
        shape = next((shape for read in _READERS if (shape := read(bare))), None)
    if shape is None or len(shape.parts) < 2 or (shape.chain and len(shape.parts) > limit):
        shape = Shape([PlannedPart("answer", request.prompt)], "other")  # a title equal to the id gives no heading
    tasks: list[Task] = []
    taken: set[str] = set()
    for part in shape.parts[:limit]:
        task_id = slug(part.title, taken)
        before = (tasks[-1].id,) if shape.chain and tasks else ()
        kind = _kind(part.prompt) if shape.kind == "other" else shape.kind
        tasks.append(Task(id=task_id, title=part.title, prompt=part.prompt, kind=kind, depends_on=before, tier="small"))
    assembly: Assembly = "concat" if len(tasks) > 1 and not shape.chain else "last"
    return TaskGraph(tasks=tuple(tasks), assembly=request.assembly or assembly)


# ── shapes ───────────────────────────────────────────────────────────────────────────────────────

_POLITE = re.compile(
    r"^(?:(?:please|hi|hello)\b[\s,!.]*|(?:can|could) you (?:please )?|i(?:'d| would) like you to |i (?:need|want) )+",
    re.IGNORECASE,
)
_WORKS_ON_TEXT = re.compile(
    r"^(?:summari[sz]e|translate|proofread|correct|rewrite|rephrase|edit|shorten|extract|fix|improve|review|what)\b",
    re.IGNORECASE,
)
_FIRST = re.compile(r"^first(?:ly)?\b,?\s+", re.IGNORECASE)
_THEN = re.compile(r"(?:[.;,]\s*|\s+)(?:and\s+)?(?:then|next|after that|finally|lastly)\b,?\s+", re.IGNORECASE)
_DEED = re.compile(
    r"(?:write|summari[sz]e|translate|list|explain|describe|compare|draft|create|make|find|name|give|pick|choose|turn"
    r"|rewrite|shorten|suggest|invent|outline|plan|brainstorm|rank)\b",
    re.IGNORECASE,
)
_SIDES = re.compile(r"\b(?:pros (?:and|&) cons|advantages and disadvantages)\s+of\s+(.+)", re.IGNORECASE)
_COMPARE = re.compile(r"\b(?:compare|comparison of)\s+(.+)", re.IGNORECASE)
_PURPOSE = re.compile(r"\s+(?=(?:for|in terms of)\s)", re.IGNORECASE)
_NAMED = re.compile(r"\bwith\s+(?:sections?|parts?|chapters?)\s*(?:(?:on|about|for)\b|:)\s*(.+)", re.IGNORECASE)
_COUNTED = re.compile(rf"\b({NUMBER})[\s-]+(?:sections?|parts?|chapters?)\b", re.IGNORECASE)
_STORY = re.compile(r"\b(?:story|tale|novel|fable)\b", re.IGNORECASE)
_HOW_TO = re.compile(r"^(?:(?:explain|write an? (?:guide|tutorial) (?:on|about)) )?how to\s+(.+)", re.IGNORECASE)


def _chained(prompt: str) -> Shape | None:
    """Read `First … then … finally …`: each step reads the one before it."""
    steps = [step.strip(" \t\n.,;") for step in _THEN.split(_FIRST.sub("", prompt))]
    if len(steps) < 2 or not all(_DEED.match(step) for step in steps):
        return None
    return Shape([PlannedPart(_title(step), f"{capital(step)}.") for step in steps], "other", chain=True)


def _named_sections(prompt: str) -> Shape | None:
    found = _NAMED.search(prompt)
    if found is None or _WORKS_ON_TEXT.match(prompt):
        return None
    listed = names(re.split(r"[.!?\n](?:\s|$)", found[1], maxsplit=1)[0])
    if len(listed) < 2 or any(len(name) > MAX_NAME for name in listed):
        return None
    topic = subject(prompt[: found.start()])
    template = _templates()["named"]
    form = {"title": template["title"], "prompt": template["prompt" if topic else "alone"]}
    return Shape([_fill(form, _name(name) | {"topic": topic or ""}) for name in listed], "writing")


def _counted_sections(prompt: str) -> Shape | None:
    """Read `3-section` or `in four parts`, except in stories, which have no such aspects."""
    found = _COUNTED.search(prompt)
    topic = subject(prompt)
    if found is None or topic is None or _WORKS_ON_TEXT.match(prompt) or _STORY.search(prompt):
        return None
    count = number(found[1])
    parts = next(
        entry["parts"]
        for entry in _templates()["subjects"]
        if any(re.search(rf"\b{re.escape(word)}\b", topic, re.IGNORECASE) for word in entry.get("words", ("",)))
    )
    chosen = _filled((part for part in parts if part["from"] <= count), topic)
    slots = _about(topic)
    further = _templates()["further"]
    more = (_fill(further, slots | {"number": str(n)}) for n in range(1, 1 + count - len(chosen)))
    return Shape([*chosen, *more], "writing")


def _two_sides(prompt: str) -> Shape | None:
    found = _SIDES.search(prompt)
    topic = phrase(found[1]) if found else None
    return Shape(_filled(_templates()["sides"], topic), "analysis") if topic else None


def _compared(prompt: str) -> Shape | None:
    """Read a comparison: one task for each thing, one for all of them."""
    found = _COMPARE.search(prompt)
    what = phrase(found[1]) if found else None
    if what is None:
        return None
    first, *rest = _PURPOSE.split(what, maxsplit=1)
    things = names(first)
    if not 2 <= len(things) <= 8 or any(len(name.split()) > 6 for name in things):
        return None
    slots = {"purpose": f" {rest[0]}" if rest else "", "names": f"{', '.join(things[:-1])} and {things[-1]}"}
    each = [_fill(_templates()["compared"], slots | _name(thing)) for thing in things]
    return Shape([*each, _fill(_templates()["comparison"], slots)], "analysis")


def _how_to(prompt: str) -> Shape | None:
    """Read a guide, except for questions."""
    found = _HOW_TO.match(prompt)
    deed = phrase(found[1]) if found and not prompt.endswith("?") else None
    return Shape(_filled(_templates()["guide"]["parts"], deed), "writing") if deed else None


_READERS: tuple[Callable[[str], Shape | None], ...] = (
    _chained,
    _named_sections,
    _counted_sections,
    _two_sides,
    _compared,
    _how_to,
)


# ── parts ────────────────────────────────────────────────────────────────────────────────────────


def _filled(templates: Iterable[Mapping[str, Any]], topic: str) -> list[PlannedPart]:
    return [_fill(template, _about(topic)) for template in templates]


def _about(topic: str) -> dict[str, str]:
    several = plural(topic)
    verbs = {"is": "are", "works": "work"}
    return {"topic": topic, "Topic": capital(topic)} | {one: many if several else one for one, many in verbs.items()}


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
    (r"\btranslat", "translation"),
    (r"\bsummari[sz]|\bin one sentence\b|\bshorten\b", "summarization"),
    (r"\b(?:python|javascript|java|rust|sql|regex|html|code|function|script|program)\b", "coding"),
    (r"\bextract\b", "extraction"),
    (r"\b(?:compare|analy[sz]e|pros and cons)\b", "analysis"),
    (r"\b(?:calculate|solve|how many|how much)\b|\d\s*[-+*/x]\s*\d", "reasoning"),
    (r"\b(?:write|draft|poem|story|letter|email|haiku|speech|essay)\b", "writing"),
)


def _kind(prompt: str) -> Kind:
    head = prompt[:400]
    return next((kind for words, kind in _KINDS if re.search(words, head, re.IGNORECASE)), "other")


def _title(step: str) -> str:
    line = " ".join(step.split())
    return capital(line if len(line) <= MAX_NAME else f"{line[: MAX_NAME - 1].rsplit(' ', 1)[0]}…")
