"""Outputs become one answer, and what is missing is named in its place."""

import pytest

from ai3ray.assembler.port import Parts
from ai3ray.assembler.strategies import assemble_in_code
from ai3ray.domain.plan import TaskGraph, parse_graph


def graph(*tasks: tuple[str, str] | tuple[str, str, str]) -> TaskGraph:
    """Tasks as (id, dependencies separated by spaces, form of the output)."""
    raw = [
        {"id": name, "title": name.upper(), "prompt": "x", "depends_on": deps.split(), "output": (*output, "text")[0]}
        for name, deps, *output in tasks
    ]
    return parse_graph({"tasks": raw}, max_tasks=20)


def assemble(plan: TaskGraph, name, outputs, holes) -> str:
    answer = assemble_in_code(name, Parts(plan, outputs, holes))
    assert answer is not None
    return answer


THREE = graph(("a", ""), ("b", ""), ("c", ""))


def test_concat_joins_the_sections_in_plan_order():
    outputs = {"c": "## Third\n\nthree", "a": "# First\n\none\n", "b": "Second\n======\n\ntwo"}
    assert assemble(THREE, "concat", outputs, {}) == ("# First\n\none\n\nSecond\n======\n\ntwo\n\n## Third\n\nthree")


def test_a_section_without_a_heading_gets_its_title():
    assert assemble(THREE, "concat", {"a": "one", "b": "**Bold**\ntwo", "c": "three"}, {}) == (
        "## A\n\none\n\n**Bold**\ntwo\n\n## C\n\nthree"
    )


def test_a_title_that_nobody_wrote_is_no_heading():
    plan = parse_graph({"tasks": [{"id": "a", "prompt": "x"}, {"id": "b", "prompt": "x"}]}, max_tasks=2)
    assert assemble(plan, "concat", {"a": "one", "b": "two"}, {}) == "one\n\ntwo"


def test_only_what_nobody_depends_on_is_joined():
    plan = graph(("raw", ""), ("left", "raw"), ("right", "raw"))
    answer = assemble(plan, "concat", {"raw": "RAW", "left": "# L", "right": "# R"}, {})
    assert answer == "# L\n\n# R"


def test_a_single_section_is_the_answer_as_it_is():
    plan = graph(("raw", ""), ("end", "raw"))
    assert assemble(plan, "concat", {"raw": "r", "end": " plain \n"}, {}) == " plain \n"


def test_code_and_json_get_a_fence_among_several_and_no_heading():
    plan = graph(("a", "", "code"), ("b", "", "json"), ("c", "", "code"))
    answer = assemble(plan, "concat", {"a": "x = 1", "b": "[1]", "c": "```py\ny\n```"}, {})
    assert answer == "```\nx = 1\n```\n\n```json\n[1]\n```\n\n```py\ny\n```"


def test_a_hole_is_named_in_its_place():
    answer = assemble(THREE, "concat", {"a": "# A", "c": "# C"}, {"b": "no model\nwas left"})
    assert answer == "# A\n\n> [missing: B (b): no model was left]\n\n# C"


def test_a_hole_without_a_reason_is_named_too():
    assert "> [missing: B (b): no output]" in assemble(THREE, "concat", {"a": "x", "c": "y"}, {})


def test_an_empty_output_is_an_output():
    assert "missing" not in assemble(THREE, "concat", {"a": "", "b": "", "c": ""}, {})


@pytest.mark.parametrize("name", ["concat", "last"])
def test_when_all_is_missing_every_hole_of_the_answer_is_named(name):
    answer = assemble(THREE, name, {}, {"a": "r1", "b": "r2", "c": "r" * 1000})
    assert "(c): rrr" in answer
    assert len(answer) < 700
    assert name == "last" or answer.count("> [missing: ") == 3


def test_last_is_the_last_task_that_nobody_depends_on():
    plan = graph(("end", "a"), ("a", ""), ("other", ""), ("b", ""), ("b2", "b"))
    outputs = {task.id: f"<{task.id}>" for task in plan.tasks}
    assert assemble(plan, "last", outputs, {}) == "<b2>"
    assert assemble(graph(("a", ""), ("b", "a")), "last", {"a": "A", "b": " B\n"}, {}) == " B\n"


def test_last_names_its_hole():
    plan = graph(("a", ""), ("b", "a"))
    assert assemble(plan, "last", {"a": "A"}, {"b": "skipped"}) == "> [missing: B (b): skipped]"
