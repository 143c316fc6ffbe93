"""The port of a way to make one answer from many outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from ai3ray.domain.plan import TaskGraph


class Strategy(Protocol):
    """Joins outputs in code; makes no model call."""

    def __call__(self, graph: TaskGraph, outputs: Mapping[str, str], holes: Mapping[str, str]) -> str:
        """The answer.

        Args:
            graph: the plan.
            outputs: output of each task that has one, by id.
            holes: why there is none, by id of each other task.
        """
        ...
