"""What a run that had to stop can still answer, without another model call."""

from __future__ import annotations

from collections.abc import Mapping

from ai3ray.assembler.concat import concat
from ai3ray.assembler.last import last
from ai3ray.domain.plan import TaskGraph


def salvage(graph: TaskGraph, assembly: str, outputs: Mapping[str, str], holes: Mapping[str, str]) -> str | None:
    """The outputs that are furthest along, and the holes among what would have been the answer.

    An output that went into another one is not shown; one that should have, and could not, is.

    Args:
        graph: the plan.
        assembly: what was asked for; `last` alone needs no more than one task.
        outputs: output of each task that has one, by id.
        holes: why there is none, by id of each other task.

    Returns:
        None when there is nothing to show.
    """
    if not outputs:
        return None
    if assembly == "last" and graph.sinks()[-1].id in outputs:
        return last(graph, outputs, holes)
    used = {dep for task in graph.tasks if task.id in outputs for dep in task.depends_on}
    sinks = {task.id for task in graph.sinks()}
    ends = tuple(
        task.model_copy(update={"depends_on": ()})
        for task in graph.tasks
        if (task.id not in used if task.id in outputs else task.id in sinks)
    )
    return concat(graph.model_copy(update={"tasks": ends}), outputs, holes)
