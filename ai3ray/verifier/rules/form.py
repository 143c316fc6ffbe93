"""The answer has the task's form."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ai3ray.domain.call import Reply
from ai3ray.domain.plan import Task
from ai3ray.domain.verdict import Defect
from ai3ray.prompts.markdown import fenced_blocks, outside, unclosed, unwrapped
from ai3ray.verifier.clean import wants_json
from ai3ray.verifier.rules.json_schema import parse_json
from ai3ray.verifier.words import prompt_excerpt, shortened

_CODE_SIGNS = re.compile(r"[{}<>;=\\|\[\]$@^~]|\w\(|->|::|^\s*(?:[#/*\-+%!.]|\w+:\s*$)")
_SENTENCE = re.compile(r"^\s*[^\W\d_].*[.!?:][\"')]?\s*$")
_DATA_ASKED = re.compile(
    r"json|yaml|api\b|payload|schema|object|dictionar|data (?:structure|format)|manifest|config|machine.readable"
    r"|key.value|array|\{|serial",
    re.IGNORECASE,
)
_PAGE = re.compile(r"\s*(?:<!doctype html|<html[\s>])", re.IGNORECASE)
_PAGE_ASKED = re.compile(r"html|web ?page|web ?site|landing page|markup|<", re.IGNORECASE)
_PLAIN_ASKED = re.compile(
    r"\bno markdown|\bplain[- ]text\b|without (?:any )?(?:markdown|formatting)|(?:not|n't) use markdown|ohne markdown"
    r"|no formatting",
    re.IGNORECASE,
)
_MARKUP = re.compile(r"^#{1,6} \S|^\|.*\|\s*$|\*\*[^*\n]+\*\*|^```", re.MULTILINE)
MIN_SENTENCE_WORDS = 5
"""A shorter line may be anything."""
MIN_MARKUP = 2
"""This many marks are Markdown; one may be chance."""


def form(task: Task, reply: Reply) -> Iterator[Defect]:
    """Require the form: JSON parses, code is code, Markdown closes its fences, text is no data structure."""
    if wants_json(task):
        problem = _json(reply.text)
    elif task.output == "code":
        problem = _code(reply.text)
    else:
        problem = _written(task, reply.text)
    if problem:
        yield Defect(part="answer", problem=problem)


def _written(task: Task, text: str) -> str | None:
    form_asked = "Markdown" if task.output == "markdown" else "running text"
    if task.output == "markdown" and unclosed(text):
        return "a code fence is opened and never closed"
    if not _DATA_ASKED.search(prompt_excerpt(task)) and task.kind not in {"extraction", "coding"} and _is_data(text):
        return f"it is JSON; answer in {form_asked}"
    if _PAGE.match(text) and task.kind != "coding" and not _PAGE_ASKED.search(prompt_excerpt(task)):
        return f"it is an HTML page; answer in {form_asked}"
    if task.output == "text" and _PLAIN_ASKED.search(prompt_excerpt(task)) and len(_MARKUP.findall(text)) >= MIN_MARKUP:
        return "it is formatted as Markdown; answer in plain text"
    return None


def _is_data(text: str) -> bool:
    inside = unwrapped(text).strip()
    if not inside.startswith(("{", "[")):
        return False
    value, problem = parse_json(inside)
    nested = isinstance(value, list) and any(isinstance(part, dict | list) for part in value)
    return problem is None and (isinstance(value, dict) or nested)


def _json(text: str) -> str | None:
    _, problem = parse_json(text)
    if problem is None:
        return None
    shown = text.strip()
    if "line" not in problem or shown.startswith(('"', "-")) or shown[:1].isdigit():
        return problem
    if not shown.startswith(("{", "[")):
        return f"{problem}; begin with the JSON value itself, not with {shortened(shown, 30)!r}"
    if "Extra data" in problem:
        return f"{problem}; end with the JSON value and write nothing after it"
    if not shown.endswith(("}", "]")):
        return f"{problem}; the JSON stops in line {text.rstrip().count(chr(10)) + 1} before it is complete"
    return problem


def _code(text: str) -> str | None:
    if any(body.strip() for _, body in fenced_blocks(text)):
        return "a code fence is opened and never closed" if unclosed(outside(text)) else None
    if unclosed(text):
        return "a code fence is opened and never closed"
    lines = [line for line in text.splitlines() if line.strip()]
    prose = [line for line in lines if _SENTENCE.match(line) and len(line.split()) >= MIN_SENTENCE_WORDS]
    if prose and not any(_CODE_SIGNS.search(line) for line in lines) and 2 * len(prose) >= len(lines):
        return "it is prose; answer with the code itself"
    return None
