"""The schema that is sent to models keeps to what every provider accepts."""

import hashlib
import json
from typing import Any

from ai3ray.domain.plan import Task, parse_graph
from ai3ray.planner.schema import plan_schema

ALLOWED = {"type", "description", "properties", "required", "additionalProperties", "items", "enum"}


def nodes(schema: dict[str, Any]) -> list[dict[str, Any]]:
    inner = [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]
    return [schema, *(node for child in inner for node in nodes(child))]


def test_it_uses_no_keyword_that_a_provider_refuses():
    for node in nodes(plan_schema()):
        assert set(node) <= ALLOWED
        assert isinstance(node["type"], str)


def test_every_field_is_required_and_objects_are_closed():
    objects = [node for node in nodes(plan_schema()) if node["type"] == "object"]
    assert len(objects) == 2
    for node in objects:
        assert node["required"] == list(node["properties"])
        assert node["additionalProperties"] is False


def test_every_assembly_is_offered():
    assert plan_schema()["properties"]["assembly"]["enum"] == ["concat", "synthesize", "last"]


def test_tasks_have_the_fields_of_the_contract():
    fields = plan_schema()["properties"]["tasks"]["items"]["required"]
    assert fields == ["id", "title", "prompt", "kind", "depends_on", "output", "tier"]
    assert set(Task.model_fields) - set(fields) == {"checks"}


def test_its_bytes_are_stable():
    """A change makes every provider compile its grammar anew: change the hash with open eyes."""
    text = json.dumps(plan_schema(), ensure_ascii=False)
    assert text == json.dumps(plan_schema(), ensure_ascii=False)
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "67d55ee5413719ee"


def test_a_plan_that_satisfies_it_parses():
    task = {
        "id": "a",
        "title": "A",
        "prompt": "x",
        "kind": "other",
        "depends_on": [],
        "output": "text",
        "tier": "small",
    }
    assert parse_graph({"tasks": [task], "assembly": "last"}, max_tasks=1).tasks[0].id == "a"
