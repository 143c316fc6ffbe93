"""The answer contains what the plan demands."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator

from ai3ray.domain.call import Reply
from ai3ray.domain.plan import Task
from ai3ray.domain.verdict import Defect
from ai3ray.verifier.clean import wants_json
from ai3ray.verifier.rules.json_schema import parse_json


def must_include(task: Task, reply: Reply) -> Iterator[Defect]:
    """Require every text of `checks.must_include`, in any case and typographic form."""
    if task.checks is None or not task.checks.must_include:
        return
    text = reply.text
    if wants_json(task):  # JSON may write a letter as an escape
        value, problem = parse_json(text)
        text = text if problem else f"{text}\n{json.dumps(value, ensure_ascii=False)}"
    have = _plain(text)
    for wanted in task.checks.must_include:
        if _plain(wanted) not in have:
            yield Defect(part="answer", problem=f"it does not contain {wanted!r}, which is required")


def _plain(text: str) -> str:
    straight = text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return " ".join(unicodedata.normalize("NFKC", straight).casefold().split())
