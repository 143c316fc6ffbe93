"""The answer is complete."""

from __future__ import annotations

from collections.abc import Iterator

from ai3ray.domain.call import Reply
from ai3ray.domain.plan import Task
from ai3ray.domain.verdict import Defect


def complete(task: Task, reply: Reply) -> Iterator[Defect]:  # noqa: ARG001 - a rule's signature
    """Forbid answers that were cut off, or that the provider ended as a refusal."""
    if reply.finish == "length":
        yield Defect(part="answer", problem="truncated: cut off at the output limit; say the same in fewer words")
    elif reply.finish == "refusal":
        yield Defect(part="answer", problem="the model refused to answer")
