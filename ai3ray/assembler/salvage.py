"""The answer of a run that had to stop, without another model call."""

from __future__ import annotations

from ai3ray.assembler.concat import concat
from ai3ray.assembler.last import last
from ai3ray.assembler.port import Parts
from ai3ray.domain.assembly import Assembly


def salvage(parts: Parts, assembly: Assembly) -> str | None:
    """Join the outputs that are furthest along, and name the holes of the intended answer.

    Args:
        parts: the run's plan and outputs.
        assembly: the run's strategy; `last` needs only one task.

    Returns:
        None when there is no output.
    """
    graph, outputs = parts.graph, parts.outputs
    if not outputs:
        return None
    if assembly == "last" and graph.sinks()[-1].id in outputs:
        return last(parts)
    used = {dep for task in graph.tasks if task.id in outputs for dep in task.depends_on}
    sinks = {task.id for task in graph.sinks()}
    ends = tuple(
        task.model_copy(update={"depends_on": ()})
        for task in graph.tasks
        if (task.id not in used if task.id in outputs else task.id in sinks)
    )
    return concat(parts._replace(graph=graph.model_copy(update={"tasks": ends})))
