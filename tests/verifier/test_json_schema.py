"""A JSON Schema check ends, whatever schema and answer are, and fetches nothing."""

import json
import pickle
import socket
import time

import pytest

from ai3ray.verifier.rules.json_schema import check_json


def test_json_that_fits_has_no_defect():
    assert check_json('{"a": 1}', {"type": "object", "required": ["a"]}) == ()
    assert check_json("[1]", None) == ()


def test_a_defect_names_its_place():
    schema = {"properties": {"a": {"items": {"type": "string"}}}}
    (defect,) = check_json('{"a": ["x", 2]}', schema)
    assert defect.part == "a/1"
    assert "string" in defect.problem


def test_few_defects_are_told_of_many():
    assert len(check_json(json.dumps(list(range(1000))), {"items": {"type": "string"}})) == 5


def test_it_can_be_sent_to_another_process():
    function, text, schema = pickle.loads(pickle.dumps((check_json, "[]", {"type": "object"})))
    assert pickle.loads(pickle.dumps(function(text, schema))) == check_json("[]", {"type": "object"})


@pytest.mark.parametrize("ref", ["file:///etc/passwd", "schema.json", "#/$defs/none"])
def test_a_reference_that_leads_nowhere_is_told_as_the_schemas_fault(ref):
    (defect,) = check_json("{}", {"$ref": ref})
    assert defect.part == "checks.json_schema"


def test_a_reference_is_never_fetched():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        port = server.getsockname()[1]
        (defect,) = check_json("{}", {"$ref": f"http://127.0.0.1:{port}/schema.json"})
        assert defect.part == "checks.json_schema"
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.parametrize("schema", [{"type": "objekt"}, {"pattern": "("}, {"required": "a"}])
def test_a_wrong_schema_is_told_as_such(schema):
    (defect,) = check_json('"x"', schema)
    assert defect.part == "checks.json_schema"


def doubling(depth: int) -> dict[str, object]:
    """A schema of 2 to the power of `depth` steps."""
    steps = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(depth)}
    return {"$defs": {**steps, f"d{depth}": {"type": "object"}}, "$ref": "#/$defs/d0"}


DRAFT = {"$schema": "https://json-schema.org/draft/2020-12/schema"}


@pytest.mark.parametrize(
    ("text", "schema"),
    [
        ("{}", doubling(60)),
        ("{}", {**DRAFT, **doubling(60)}),
        ('{"a":' * 60 + "1" + "}" * 60, {**DRAFT, "properties": {"a": {"allOf": [{"$ref": "#"}] * 2}}}),
        (json.dumps([{"a": n} for n in range(20_000)]), {"uniqueItems": True}),
    ],
    ids=["doubling", "doubling with a draft", "doubling through the root", "all with all"],
)
def test_a_check_that_would_not_end_is_given_up(text, schema):
    begin = time.monotonic()
    (defect,) = check_json(text, schema)
    assert "too long" in defect.problem
    assert time.monotonic() - begin < 20


def test_a_schema_that_turns_in_a_circle_is_given_up():
    (defect,) = check_json("{}", {"$ref": "#"})
    assert "deeply" in defect.problem


@pytest.mark.parametrize("depth", [800, 100_000])
def test_json_nested_too_deeply_is_a_defect(depth):
    (defect,) = check_json("[" * depth + "]" * depth, {"items": {"$ref": "#"}})
    assert "deeply" in defect.problem


def test_a_large_plain_answer_is_checked_to_its_end():
    rows = [{"id": n, "tags": ["a", "b"], "name": f"row {n}"} for n in range(2000)]
    row = {
        "type": "object",
        "properties": {
            "id": {"type": "integer", "minimum": 0},
            "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "uniqueItems": True},
            "name": {"type": "string", "minLength": 1},
        },
        "required": ["id", "tags", "name"],
        "additionalProperties": False,
    }
    assert check_json(json.dumps(rows), {"type": "array", "items": row, "uniqueItems": False}) == ()
    assert check_json(json.dumps(list(range(5000))), {"uniqueItems": True}) == ()
    rows[-1]["id"] = -1
    (defect,) = check_json(json.dumps(rows), {"type": "array", "items": row})
    assert defect.part == "1999/id"
