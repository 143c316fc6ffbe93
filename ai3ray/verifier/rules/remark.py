"""Code does not begin with a remark that cleaning left in place."""

from __future__ import annotations

from collections.abc import Iterator

from ai3ray.domain.call import Reply
from ai3ray.domain.plan import Task
from ai3ray.domain.verdict import Defect
from ai3ray.verifier.chatter import MAX_CHARS, OPENER
from ai3ray.verifier.clean import wants_json
from ai3ray.verifier.words import shortened


def remark(task: Task, reply: Reply) -> Iterator[Defect]:
    """Forbid code that begins with 'Sure! Here is …'."""
    if task.output != "code" or wants_json(task):
        return
    first = reply.text.lstrip()[:MAX_CHARS].partition("\n")[0]
    if OPENER.match(first) and first.rstrip().endswith((":", ".", "!")):
        problem = f"it begins with a remark ({shortened(first)!r}); give the code alone, in fenced blocks"
        yield Defect(part="answer", problem=problem)
