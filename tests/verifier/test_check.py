"""The rules find what is wrong, and say nothing where nothing is."""

import pickle

import pytest

from ai3ray.domain.call import Reply, Usage
from ai3ray.domain.plan import Checks, Task, parse_graph
from ai3ray.errors import PlanError
from ai3ray.verifier.check import ALWAYS, CONTENT, check, needs_isolation, refuse_bad_schemas
from tests.verifier.answers import BAD, CODE, GOOD, JSON, MD, PERSON, SEA, Answer


def reply(text: str, finish: str = "stop") -> Reply:
    return Reply(text=text, finish=finish, usage=Usage(), model="m")


def named(answer: Answer) -> str:
    return answer.name


@pytest.mark.parametrize("answer", GOOD, ids=named)
def test_a_good_answer_passes(answer):
    verdict = check(answer.task, reply(answer.text), content=True)
    assert verdict.defects == ()
    assert (verdict.passed, verdict.score, verdict.by) == (True, 1.0, "rules")


@pytest.mark.parametrize("answer", BAD, ids=named)
def test_a_bad_answer_is_named_in_words_its_author_can_act_on(answer):
    verdict = check(answer.task, reply(answer.text), content=True)
    assert (verdict.passed, verdict.score, verdict.by) == (False, 0.0, "rules")
    assert any(answer.bad in defect.problem for defect in verdict.defects)
    assert all("\n" not in defect.problem and len(defect.problem) < 400 for defect in verdict.defects)


def test_the_labelled_set_is_large_enough():
    assert len(GOOD) + len(BAD) >= 60
    assert min(len(GOOD), len(BAD)) >= 30


@pytest.mark.parametrize("content", [True, False])
@pytest.mark.parametrize("answer", [GOOD[0], GOOD[7], GOOD[35]], ids=named)
def test_a_truncated_answer_is_never_a_success(answer, content):
    verdict = check(answer.task, reply(answer.text, "length"), content=content)
    assert not verdict.passed
    assert verdict.defects[0].problem.startswith("truncated")


@pytest.mark.parametrize("content", [True, False])
def test_a_refusal_of_the_provider_is_a_defect(content):
    assert not check(SEA, reply("Well, no.", "refusal"), content=content).passed


@pytest.mark.parametrize("content", [True, False])
def test_an_empty_answer_is_a_defect(content):
    assert not check(SEA, reply("  "), content=content).passed


@pytest.mark.parametrize("answer", [one for one in BAD if one.bad != "empty"], ids=named)
def test_without_content_checks_a_complete_answer_passes(answer):
    assert check(answer.task, reply(answer.text), content=False).passed


def test_a_truncated_answer_is_not_blamed_for_its_content():
    assert len(check(PERSON, reply('{"age', "length"), content=True).defects) == 1


def test_all_content_defects_are_told_at_once():
    task = Task(id="t", prompt="x", output="json", checks=Checks(min_words=50, must_include=("b", "c")))
    assert len(check(task, reply("{a"), content=True).defects) == 4


def test_rules_are_picked_up_in_another_process():
    """Checks may be sent elsewhere by pickle: rules, tasks and replies have to survive it."""
    for answer in (GOOD[0], BAD[0], BAD[-1]):
        function, task, said = pickle.loads(pickle.dumps((check, answer.task, reply(answer.text))))
        assert function(task, said, content=True) == check(answer.task, reply(answer.text), content=True)
    assert pickle.loads(pickle.dumps((ALWAYS, CONTENT))) == (ALWAYS, CONTENT)


@pytest.mark.parametrize(
    ("task", "text", "isolated"),
    [
        (JSON, "[" + "1," * 40_000 + "1]", True),
        (JSON, "[1]", False),
        (JSON, '"' + "ü" * 33_000 + '"', True),
        (PERSON, "[1]", False),
        (PERSON.model_copy(update={"output": "text"}), '"' + "x" * 70_000 + '"', True),
        (SEA, "x" * 1_000_000, False),
        (MD, "x" * 1_000_000, False),
        (CODE, "```python\nx = 1\n```", True),
        (CODE, "x = 1", True),
        (CODE, "```rust\nfn main() {}\n```", False),
        (CODE.model_copy(update={"prompt": "Write it in Rust."}), "fn main() {}", False),
        (MD.model_copy(update={"kind": "coding"}), "See\n```python\na = 1\nb = 2\nc = 3\n```", True),
        (MD, "See\n```python\na = 1\nb = 2\nc = 3\n```", False),
    ],
)
def test_large_json_and_code_need_isolation(task, text, isolated):
    assert needs_isolation(task, text) is isolated


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "pattern": "(a+)+$"},
        {"type": "object", "properties": {"a": {"items": {"pattern": "x"}}}},
        {"anyOf": [{"patternProperties": {"x": {}}}]},
    ],
)
def test_a_schema_with_regular_expressions_needs_isolation(schema):
    assert needs_isolation(Task(id="t", prompt="x", checks=Checks(json_schema=schema)), "1")


def test_a_schema_that_is_none_is_refused_before_the_run():
    plan = {
        "tasks": [{"id": "a", "prompt": "x"}, {"id": "b", "prompt": "x", "checks": {"json_schema": {"type": "objekt"}}}]
    }
    graph = parse_graph(plan, max_tasks=2)
    with pytest.raises(PlanError, match=r"'b'.*objekt"):
        refuse_bad_schemas(graph)


def test_a_schema_that_is_one_is_let_pass():
    schema = {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object"}
    plan = {"tasks": [{"id": "a", "prompt": "x", "checks": {"json_schema": schema}}, {"id": "b", "prompt": "x"}]}
    refuse_bad_schemas(parse_graph(plan, max_tasks=2))
