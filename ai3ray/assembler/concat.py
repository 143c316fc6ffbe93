"""`concat`: the outputs of the plan's sinks, in plan order."""

from __future__ import annotations

from collections.abc import Mapping

from ai3ray.assembler.hole import hole
from ai3ray.assembler.port import Parts, Strategy, in_code
from ai3ray.domain.plan import Task
from ai3ray.prompts.markdown import begins_with_heading

_FENCES = {"code": "", "json": "json"}


def concat(parts: Parts) -> str:
    """Join the sections with blank lines between them; a missing one is named in its place.

    A single section stays as it is. Among several, prose without a heading gets its task's title as one, and code and
    JSON get a fence.
    """
    sinks = parts.graph.sinks()
    if len(sinks) == 1:
        return parts.outputs[sinks[0].id] if sinks[0].id in parts.outputs else hole(sinks[0], parts.holes)
    return "\n\n".join(section(task, parts.outputs, parts.holes) for task in sinks)


def section(task: Task, outputs: Mapping[str, str], holes: Mapping[str, str]) -> str:
    """Return a task's output as one of several sections, or the line for its hole."""
    if task.id not in outputs:
        return hole(task, holes)
    text = outputs[task.id].strip("\n")
    if task.output in _FENCES:
        return text if "```" in text else f"```{_FENCES[task.output]}\n{text}\n```"
    # A title equal to the id is a default, not a heading for readers.
    if task.title in {"", task.id} or begins_with_heading(text):
        return text
    return f"## {' '.join(task.title.split())}\n\n{text}"


CONCAT = Strategy(in_code(concat), section)
