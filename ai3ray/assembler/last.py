"""`last`: one task makes the answer."""

from __future__ import annotations

from ai3ray.assembler.hole import hole
from ai3ray.assembler.port import Parts, Strategy, in_code


def last(parts: Parts) -> str:
    """Return the output of the plan's last sink, unchanged."""
    task = parts.graph.sinks()[-1]
    return parts.outputs[task.id] if task.id in parts.outputs else hole(task, parts.holes)


LAST = Strategy(in_code(last))
