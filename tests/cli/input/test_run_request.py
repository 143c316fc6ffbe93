"""From words to a request."""

import io
import json
import sys

import pytest

from ai3ray.errors import RequestError, UsageError
from cli.input.run_request import RunArguments, plan_request, run_request


@pytest.fixture
def stdin(monkeypatch):
    def pipe(text):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    pipe("")
    return pipe


def asked(prompt=None, plan=None, *, no_plan=False, files=(), **fields):
    return run_request(RunArguments(prompt, plan, no_plan, files), fields, max_tasks=5)


@pytest.fixture
def plan_file(tmp_path):
    file = tmp_path / "plan.json"
    file.write_text(json.dumps({"tasks": [{"id": "a", "prompt": "p"}]}))
    return str(file)


def test_a_flag_that_was_not_given_is_not_in_the_request(stdin):
    request = asked("hello", models=None, max_concurrency=None)
    assert request.model_dump(exclude_unset=True) == {"prompt": "hello"}


def test_flags_become_fields(stdin):
    request = asked("hello", models=["a/b", "c/d"], max_concurrency=3, assembly="concat", verify=False)
    assert (request.models, request.max_concurrency, request.assembly, request.verify) == (
        ("a/b", "c/d"),
        3,
        "concat",
        False,
    )


def test_no_plan_is_a_plan_of_one_task(stdin):
    request = asked("hello", no_plan=True)
    assert [task["prompt"] for task in request.plan["tasks"]] == ["hello"]


def test_a_plan_file_needs_no_prompt(stdin, plan_file):
    request = asked(None, plan_file)
    assert (request.prompt, request.plan["tasks"][0]["id"]) == ("", "a")


def test_prompt_and_plan_can_come_from_stdin_but_not_both(stdin):
    stdin("from stdin\n")
    assert asked("-").prompt == "from stdin\n"
    stdin('{"tasks": [{"id": "z", "prompt": "p"}]}')
    assert asked("hello", "-").plan["tasks"][0]["id"] == "z"
    with pytest.raises(UsageError, match="PROMPT and --plan cannot both"):
        asked("-", "-")
    with pytest.raises(UsageError, match="PROMPT and -f cannot both"):
        asked("-", files=["-"])


def test_files_become_context_of_runs_and_plans(stdin, tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("Alpha")
    for request in (asked("hello", files=[str(file)]), plan_request(RunArguments("hello", files=[str(file)]), {})):
        assert [(text.name, text.text) for text in request.context] == [("notes.txt", "Alpha")]


@pytest.mark.parametrize("prompt", ["", "  \n"])
def test_an_empty_prompt_is_refused(stdin, prompt):
    with pytest.raises(UsageError, match="empty"):
        asked(prompt)
    stdin(prompt)
    with pytest.raises(UsageError, match="empty"):
        asked("-")
    with pytest.raises(UsageError, match="empty"):
        plan_request(RunArguments(prompt), {})


def test_nothing_to_do_is_refused(stdin):
    with pytest.raises(UsageError, match="PROMPT"):
        asked()


def test_plan_and_no_plan_exclude_each_other(stdin, plan_file):
    with pytest.raises(UsageError, match="--no-plan"):
        asked("x", plan_file, no_plan=True)


def test_a_field_out_of_bounds_is_named(stdin):
    with pytest.raises(RequestError, match="max_concurrency"):
        asked("x", max_concurrency=100_000)
