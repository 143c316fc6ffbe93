"""Write small values that satisfy a JSON Schema."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

_DEEPEST = 12
_WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "harbor", "inlet", "juniper")
_FORMATS = {
    "date-time": "2026-01-31T12:00:00Z",
    "date": "2026-01-31",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "email": "ada@example.org",
    "hostname": "example.org",
    "uri": "https://example.org/",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def instance(schema: Mapping[str, Any], rng: random.Random) -> Any:
    """Return the smallest value that the schema's bounds allow; uncommon keywords are ignored."""
    return _Writer(schema, rng).value(schema, 0)


class _Writer:
    def __init__(self, root: Mapping[str, Any], rng: random.Random) -> None:
        self._root = root
        self._rng = rng

    def value(self, schema: Any, depth: int) -> Any:
        if not isinstance(schema, Mapping) or depth > _DEEPEST:
            return None
        if "$ref" in schema:
            return self.value(self._referenced(str(schema["$ref"])), depth + 1)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._rng.choice(list(schema["enum"]))
        branches = schema.get("anyOf") or schema.get("oneOf")
        if branches:
            return self.value({**schema, "anyOf": None, "oneOf": None, **branches[0]}, depth + 1)
        for part in schema.get("allOf") or ():
            schema = {**schema, **part, "allOf": None}
        return self._typed(schema, depth)

    def _typed(self, schema: Mapping[str, Any], depth: int) -> Any:
        kind = schema.get("type") or ("object" if "properties" in schema else "string")
        if isinstance(kind, Sequence) and not isinstance(kind, str):
            kind = next((name for name in kind if name != "null"), "null")
        writers = {"object": self._object, "array": self._array, "string": self._string}
        if kind in writers:
            return writers[kind](schema, depth)
        if kind in {"number", "integer"}:
            return self._number(schema, whole=kind == "integer")
        return self._rng.random() < 0.5 if kind == "boolean" else None

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        properties = schema.get("properties") or {}
        names = schema.get("required", list(properties))
        return {name: self.value(properties.get(name, {}), depth + 1) for name in names}

    def _array(self, schema: Mapping[str, Any], depth: int) -> list[Any]:
        length = max(1, int(schema.get("minItems", 1)))
        length = min(length, int(schema.get("maxItems", length)))
        return [self.value(schema.get("items") or {"type": "string"}, depth + 1) for _ in range(length)]

    def _string(self, schema: Mapping[str, Any], _depth: int) -> str:
        if schema.get("format") in _FORMATS:
            return _FORMATS[schema["format"]]
        text = self._rng.choice(_WORDS)
        while len(text) < int(schema.get("minLength", 0)):
            text += f" {self._rng.choice(_WORDS)}"
        return text[: int(schema["maxLength"])] if "maxLength" in schema else text

    def _number(self, schema: Mapping[str, Any], *, whole: bool) -> float:
        low = schema.get("minimum", schema.get("exclusiveMinimum"))
        high = schema.get("maximum", schema.get("exclusiveMaximum"))
        low = (0 if high is None or high >= 1 else high - 1) if low is None else low
        if not whole:
            return round(low + 0.5 * ((low + 2 if high is None else high) - low), 4)
        value = int(-(-low // 1)) + (1 if low == schema.get("exclusiveMinimum") else 0)
        return value if high is None else min(value, int(high))

    def _referenced(self, ref: str) -> Any:
        found: Any = self._root
        for part in ref.removeprefix("#").strip("/").split("/"):
            found = found.get(part, {}) if part and isinstance(found, Mapping) else found
        return found
