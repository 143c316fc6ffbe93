"""The answer has the form that the task asks for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from ai3ray.domain.call import Reply
from ai3ray.domain.plan import Task
from ai3ray.domain.verdict import Defect
from ai3ray.verifier.clean import wants_json
from ai3ray.verifier.fences import fenced_blocks, unclosed
from ai3ray.verifier.rules.json_schema import parse_json

_CODE_SIGNS = re.compile(r"[{}<>;=\\|\[\]$@^~]|\w\(|->|::|^\s*(?:[#/*\-+%!.]|\w+:\s*$)")
_SENTENCE = re.compile(r"^\s*[^\W\d_].*[.!?:][\"')]?\s*$")
MIN_SENTENCE_WORDS = 5
"""A shorter line may be anything."""


def form(task: Task, reply: Reply) -> Iterator[Defect]:
    """JSON parses, code is not a text about code, Markdown closes its fences."""
    problem = _FORMS["json" if wants_json(task) else task.output](reply.text)
    if problem:
        yield Defect(part="answer", problem=problem)


def _text(text: str) -> str | None:  # noqa: ARG001 - anything is text
    return None


def _json(text: str) -> str | None:
    _, problem = parse_json(text)
    return problem


def _markdown(text: str) -> str | None:
    """A fence that is opened is closed, and the answer is not a JSON object around the text."""
    if unclosed(text):
        return "a code fence is opened and never closed"
    value, problem = parse_json(text)
    if problem is None and isinstance(value, dict | list):
        return "it is JSON; answer in Markdown"
    return None


def _code(text: str) -> str | None:
    """Some of it is code: a fenced block, or a line that no sentence looks like."""
    if any(body.strip() for _, body in fenced_blocks(text)):
        return None
    if unclosed(text):
        return "a code fence is opened and never closed"
    lines = [line for line in text.splitlines() if line.strip()]
    prose = [line for line in lines if _is_sentence(line)]
    if prose and not any(_CODE_SIGNS.search(line) for line in lines) and 2 * len(prose) >= len(lines):
        return "it is prose; answer with the code itself"
    return None


def _is_sentence(line: str) -> bool:
    return bool(_SENTENCE.match(line)) and len(line.split()) >= MIN_SENTENCE_WORDS


_FORMS: dict[str, Callable[[str], str | None]] = {"text": _text, "json": _json, "markdown": _markdown, "code": _code}
