"""`last`: one task makes the answer."""

from __future__ import annotations

from collections.abc import Mapping

from ai3ray.assembler.hole import hole
from ai3ray.domain.plan import TaskGraph


def last(graph: TaskGraph, outputs: Mapping[str, str], holes: Mapping[str, str]) -> str:
    """The output of the last task that nobody depends on, as it is."""
    task = graph.sinks()[-1]
    return outputs[task.id] if task.id in outputs else hole(task, holes)
