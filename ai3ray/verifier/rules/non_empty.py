"""The answer has content."""

from __future__ import annotations

from collections.abc import Iterator

from ai3ray.domain.call import Reply
from ai3ray.domain.plan import Task
from ai3ray.domain.verdict import Defect
from ai3ray.prompts.markdown import without_fences


def non_empty(task: Task, reply: Reply) -> Iterator[Defect]:  # noqa: ARG001 - a rule's signature
    """Require more than white space and empty fences."""
    if not without_fences(reply.text).strip("\ufeff\u200b \t\r\n\f\v"):
        yield Defect(part="answer", problem="it is empty")
