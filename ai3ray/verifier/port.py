"""The port of a rule."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from ai3ray.domain.call import Reply
from ai3ray.domain.plan import Task
from ai3ray.domain.verdict import Defect


class Rule(Protocol):
    """One check of one answer; pure."""

    def __call__(self, task: Task, reply: Reply) -> Iterable[Defect]:
        """Yield the defects of the answer; none when the rule does not apply."""
        ...
