"""A user's JSON Schema in the subset that all structured outputs accept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_KEPT = frozenset({"type", "enum", "const", "description", "title"})
# The check of the answer refuses what these forbid, so the grammar need not.
_DROPPED = frozenset(
    {
        "$schema", "$id", "$comment", "default", "examples", "format", "pattern", "minLength", "maxLength",
        "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
        "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties",
    }
)  # fmt: skip
_SCALARS = frozenset({"string", "number", "integer", "boolean", "null"})


def portable_schema(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """Translate a schema, or return None when it has no portable form.

    Objects are closed and all their fields required; bounds are left to the check of the answer. Unions, references and
    open maps have no portable form; such a schema goes into the prompt only.
    """
    return _object(schema) if schema.get("type") == "object" else None


def _node(schema: Any) -> dict[str, Any] | None:
    if not isinstance(schema, Mapping):
        return None
    match schema.get("type"):
        case "object":
            return _object(schema)
        case "array":
            items = _node(schema.get("items"))
            return None if items is None else _with(schema, "items", items)
        case str(name) if name in _SCALARS:
            return _with(schema)
    return None


def _object(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    properties = schema.get("properties")
    if not isinstance(properties, Mapping) or not properties:
        return None
    inner = {name: _node(value) for name, value in properties.items()}
    if None in inner.values() or not set(schema.get("required", ())) <= inner.keys():
        return None
    open_map = isinstance(schema.get("additionalProperties"), Mapping)
    closed = _with(schema, "properties", inner, ignore={"required", "additionalProperties"})
    return None if open_map or closed is None else closed | {"required": list(inner), "additionalProperties": False}


def _with(
    schema: Mapping[str, Any], part: str = "", value: Any = None, ignore: frozenset[str] | set[str] = frozenset()
) -> dict[str, Any] | None:
    """Return the kept keywords of a node with its translated part; None when a keyword has no portable form."""
    if set(schema) - _KEPT - _DROPPED - ignore - {part}:
        return None
    kept = {name: schema[name] for name in schema if name in _KEPT}
    return kept | {part: value} if part else kept
