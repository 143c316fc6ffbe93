"""A portable schema has the shape the user asked for, in the words every provider knows."""

import pytest

from ai3ray.prompts.portable_schema import portable_schema


def test_objects_are_closed_their_fields_required_and_bounds_left_to_the_check():
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 1, "description": "who"},
            "tags": {"type": "array", "items": {"enum": ["a", "b"], "type": "string"}, "maxItems": 3},
            "where": {"type": "object", "properties": {"x": {"type": "number"}}},
        },
        "required": ["name"],
    }
    assert portable_schema(schema) == {
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "who"},
            "tags": {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}},
            "where": {
                "type": "object",
                "properties": {"x": {"type": "number"}},
                "required": ["x"],
                "additionalProperties": False,
            },
        },
        "required": ["name", "tags", "where"],
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "array", "items": {"type": "string"}},
        {"type": "object"},
        {"type": "object", "properties": {}},
        {"type": "object", "properties": {"a": {"type": ["string", "null"]}}},
        {"type": "object", "properties": {"a": {"anyOf": [{"type": "string"}]}}},
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"type": "string"}}},
        {"type": "object", "properties": {"a": {"type": "array"}}},
        {"type": "object", "properties": {"a": True}},
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["b"]},
        {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": {"type": "string"}},
        {"type": "object", "properties": {"a": {"type": "string"}}, "not": {"required": ["a"]}},
    ],
)
def test_what_has_no_portable_form_is_not_sent(schema):
    assert portable_schema(schema) is None
