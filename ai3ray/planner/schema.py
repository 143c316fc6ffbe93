"""The JSON Schema of a task graph as it is sent to models.

It keeps to what every provider's structured output accepts: flat, every field required, no unions, no recursion, no
bounds. `parse_graph` checks the rest after decoding. Its bytes never change, because providers compile a grammar from
each new schema.
"""

from __future__ import annotations

from typing import Any, get_args

from ai3ray.domain.assembly import ASSEMBLIES
from ai3ray.domain.plan import Task, TaskGraph

_TASK_FIELDS = ("id", "title", "prompt", "kind", "depends_on", "output", "tier")


def plan_schema() -> dict[str, Any]:
    """Build a new copy of the schema, which the caller may change."""
    graph = TaskGraph.model_fields
    return _object(
        {
            "tasks": {
                "type": "array",
                "description": graph["tasks"].description,
                "items": _object({name: _task_field(name) for name in _TASK_FIELDS}),
            },
            "assembly": _choice(ASSEMBLIES, graph["assembly"].description),
        }
    )


def _task_field(name: str) -> dict[str, Any]:
    field = Task.model_fields[name]
    if name == "depends_on":
        return {"type": "array", "description": field.description, "items": {"type": "string"}}
    choices = get_args(field.annotation)
    return _choice(choices, field.description) if choices else {"type": "string", "description": field.description}


def _choice(values: tuple[str, ...], description: str | None) -> dict[str, Any]:
    return {"type": "string", "description": description, "enum": list(values)}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
