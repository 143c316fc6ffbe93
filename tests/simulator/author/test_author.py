"""What the simulated models write can be used by those who asked."""

import ast
import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai3ray.domain.plan import parse_graph
from ai3ray.domain.verdict import Verdict
from ai3ray.simulator.author.author import write
from ai3ray.simulator.wires.parsed_request import ParsedRequest, tokens

PLAN = {"type": "object", "properties": {"tasks": {"type": "array"}, "assembly": {"type": "string"}}}
JUDGE = {"type": "object", "properties": {"passed": {}, "score": {}, "defects": {}}}


def answer(prompt, schema=None, fault=None, seed=1, max_tokens=10_000):
    asked = ParsedRequest("anthropic", "claude-opus-5-5", False, "", (("user", prompt),), max_tokens, schema)
    return write(asked, seed, fault)


def plan(prompt):
    return parse_graph(json.loads(answer(prompt, PLAN).text), max_tasks=20)


@pytest.mark.parametrize(
    ("prompt", "count"),
    [
        ("Write a 3-section blog post about AI", 3),
        ("Write an essay with five chapters on tides", 5),
        ("A 2 part guide to compost", 2),
        ("Write the task graph for the request below, with at most 20 tasks.\n\nThe request:\n\nA 4-section report", 4),
        ("Write the task graph for the request below, with at most 3 tasks.\n\nThe request:\n\nA 9-section report", 3),
        ("What is the capital of Japan?", 1),
        ("Write the task graph, with at most 20 tasks.\n\nThe request:\n\nWho wrote Faust?", 1),
    ],
)
def test_a_plan_honours_the_number_in_the_wish(prompt, count):
    graph = plan(prompt)
    assert len(graph.tasks) == count
    assert all(not task.depends_on for task in graph.tasks)
    assert len({task.prompt for task in graph.tasks}) == count


def test_a_section_plan_is_writing_joined_in_order():
    graph = plan("Write a 3-section blog post about AI")
    assert graph.assembly == "concat"
    assert {task.kind for task in graph.tasks} == {"writing"}
    assert all("3-section blog post about AI" in task.prompt for task in graph.tasks)


def test_a_diamond():
    graph = plan("Make a diamond plan about nuclear power")
    assert {task.id: task.depends_on for task in graph.tasks} == {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")}
    assert graph.assembly == "last"


def test_a_wish_without_a_number_is_split_and_combined():
    graph = plan(
        "Write a long report about the history, the present and the future of railways in Europe, with sources."
    )
    assert [task.id for task in graph.sinks()] == ["combine"]
    assert len(graph.tasks) == 4


def test_a_program_is_one_coding_task():
    (task,) = plan("Write a Python function that squares numbers").tasks
    assert (task.kind, task.output) == ("coding", "code")


def test_a_section_is_about_what_the_whole_is_about():
    (first, *_) = plan("Write a 3-section blog post about AI").tasks
    text = answer(first.prompt).text
    assert text.startswith(f"## {first.title}\n")
    assert "AI" in text.removeprefix(f"## {first.title}")


@given(st.text(max_size=300))
def test_every_wish_has_a_valid_plan(prompt):
    assert plan(prompt).tasks


def test_a_defective_plan_cannot_be_run():
    graph = json.loads(answer("A 3-section post", PLAN, fault="defect").text)
    assert graph["tasks"][0]["depends_on"] == ["DEFECT-no-such-task"]


@pytest.mark.parametrize(
    ("text", "fault", "passed"), [("Fine words.", None, True), ("DEFECT: no.", None, False), ("Fine.", "defect", False)]
)
def test_a_judge_objects_to_the_mark_only(text, fault, passed):
    verdict = Verdict.model_validate_json(answer(f"Judge this:\n\n{text}", JUDGE, fault).text)
    assert (verdict.passed, bool(verdict.defects)) == (passed, not passed)


def test_a_defective_answer_carries_the_mark():
    assert "DEFECT" in answer("Write about rivers", fault="defect").text
    assert "DEFECT" not in answer("Write about rivers").text


@pytest.mark.parametrize("seed", range(20))
def test_prose_is_about_its_subject_and_of_usual_length(seed):
    text = answer("Write a paragraph about river ecology", seed=seed).text
    assert 110 <= len(text.split()) <= 210
    assert "river ecology" in text.lower()


@pytest.mark.parametrize(
    ("wish", "low", "high"),
    [("at least 300 words", 300, 360), ("at most 80 words", 20, 80), ("Write a 50-word note about tea", 50, 90)],
)
def test_lengths_are_honoured(wish, low, high):
    for seed in range(10):
        assert low <= len(answer(wish, seed=seed).text.split()) <= high


def test_json_and_code_are_what_was_asked_for():
    json.loads(answer("Give me the facts about Mars as JSON").text)
    code = answer("Write a Python function that squares numbers").text
    assert code.startswith("```python")
    ast.parse(code.removeprefix("```python").removesuffix("```"))


def test_demanded_texts_occur():
    text = answer(
        'What is demanded of the answer: it contains, letter for letter, "Ada \\"A\\"", "1843".\n\nYour task:\n\nWrite.'
    ).text
    assert 'Ada "A"' in text
    assert "1843" in text


def test_a_cap_cuts_the_answer():
    written = answer("Write about rivers", max_tokens=10)
    assert (written.finish, tokens(written.text)) == ("length", 10)


SCHEMAS = [
    {"type": "object", "properties": {"a": {"type": "string", "minLength": 20, "maxLength": 25}}, "required": ["a"]},
    {"type": "object", "properties": {"a": {"enum": [3, 4]}, "b": {"const": "x"}}, "required": ["a", "b"]},
    {"type": "object", "properties": {"n": {"type": "integer", "minimum": 5, "maximum": 6}}, "required": ["n"]},
    {"type": "object", "properties": {"n": {"type": "number", "exclusiveMinimum": 0, "maximum": 1}}, "required": ["n"]},
    {"type": "object", "properties": {"n": {"type": "integer", "exclusiveMinimum": 2}}, "required": ["n"]},
    {"type": "array", "items": {"type": "boolean"}, "minItems": 3, "maxItems": 4},
    {"type": "array", "maxItems": 0},
    {"anyOf": [{"type": "integer"}, {"type": "null"}]},
    {"type": ["string", "null"]},
    {
        "$ref": "#/$defs/p",
        "$defs": {"p": {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]}},
    },
    {"type": "object", "properties": {"d": {"type": "string", "format": "date"}}, "required": ["d"]},
    {"allOf": [{"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}]},
    {"type": "object", "properties": {"t": {"$ref": "#"}}, "required": []},
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=range(len(SCHEMAS)))
def test_structured_answers_satisfy_their_schema(schema):
    for seed in range(5):
        jsonschema.validate(json.loads(answer("x", schema, seed=seed).text), schema)
