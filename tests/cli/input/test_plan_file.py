"""`--plan FILE` says where it is wrong."""

import json

import pytest

from ai3ray.errors import PlanError, UsageError
from cli.input.plan_file import read_plan


def written(tmp_path, text):
    file = tmp_path / "plan.json"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(file)


def test_a_plan_of_ids_and_prompts_is_enough(tmp_path):
    graph = read_plan(written(tmp_path, '{"tasks": [{"id": "a", "prompt": "p"}]}'), max_tasks=5)
    assert (graph.tasks[0].title, graph.assembly) == ("a", "last")


def test_a_byte_order_mark_is_no_error(tmp_path):
    assert read_plan(written(tmp_path, b'\xef\xbb\xbf{"tasks": [{"id": "a", "prompt": "p"}]}'), max_tasks=5).tasks


def test_broken_json_is_told_with_file_line_and_column(tmp_path):
    name = written(tmp_path, '{"tasks": [\n  {"id": "a" "prompt": "p"}\n]}')
    with pytest.raises(PlanError) as caught:
        read_plan(name, max_tasks=5)
    assert str(caught.value) == f"{name}: line 2, column 14: not JSON: Expecting ',' delimiter"


def test_a_wrong_task_is_told_with_file_and_task(tmp_path):
    name = written(tmp_path, json.dumps({"tasks": [{"id": "a", "prompt": "p", "depends_on": ["ghost"]}]}))
    with pytest.raises(PlanError) as caught:
        read_plan(name, max_tasks=5)
    assert str(caught.value).startswith(f"{name}: task 'a'")
    assert "ghost" in str(caught.value)


def test_more_tasks_than_allowed_are_refused(tmp_path):
    tasks = [{"id": f"t{n}", "prompt": "p"} for n in range(3)]
    with pytest.raises(PlanError, match="max_tasks = 2"):
        read_plan(written(tmp_path, json.dumps({"tasks": tasks})), max_tasks=2)


@pytest.mark.parametrize("text", [b"\xff\xfe{}", b"[" * 200_000])
def test_bytes_that_are_no_json_at_all_are_one_line(tmp_path, text):
    with pytest.raises(UsageError) as caught:
        read_plan(written(tmp_path, text), max_tasks=5)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"nothing\.json"):
        read_plan(str(tmp_path / "nothing.json"), max_tasks=5)
    with pytest.raises(UsageError, match="directory"):
        read_plan(str(tmp_path), max_tasks=5)
