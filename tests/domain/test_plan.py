"""The task graph: whatever comes in, out comes a valid graph or one line that names what is wrong."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai3ray.domain.plan import (
    TASK_ID,
    Task,
    TaskGraph,
    default_assembly,
    graph_json,
    parse_graph,
    single_task,
)
from ai3ray.errors import PlanError

ids = st.from_regex(TASK_ID, fullmatch=True)
prompts = st.text(min_size=1).filter(lambda text: bool(text.strip()))


@st.composite
def acyclic(draw: st.DrawFn) -> dict[str, object]:
    """A valid plan in shuffled order."""
    names = draw(st.lists(ids, min_size=1, max_size=8, unique=True))
    tasks = []
    for place, name in enumerate(names):
        deps = draw(st.lists(st.sampled_from(names[:place]), unique=True)) if place else []
        tasks.append({"id": name, "prompt": draw(prompts), "depends_on": deps})
    return {"tasks": draw(st.permutations(tasks))}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["tasks", "id", "prompt", "depends_on"]), inner),
    max_leaves=12,
)


@given(acyclic())
def test_a_valid_plan_keeps_its_tasks_in_their_order(plan):
    graph = parse_graph(plan, max_tasks=8)
    assert [task.id for task in graph.tasks] == [task["id"] for task in plan["tasks"]]
    assert [task.prompt for task in graph.tasks] == [task["prompt"] for task in plan["tasks"]]


@given(acyclic())
def test_topological_order_has_every_task_once_and_after_its_dependencies(plan):
    graph = parse_graph(plan, max_tasks=8)
    order = [task.id for task in graph.topological()]
    assert sorted(order) == sorted(task.id for task in graph.tasks)
    for task in graph.tasks:
        assert all(order.index(dep) < order.index(task.id) for dep in task.depends_on)


@given(acyclic())
def test_topological_order_leaves_a_sorted_plan_as_it_is(plan):
    once = parse_graph(plan, max_tasks=8).topological()
    assert TaskGraph(tasks=once, assembly="concat").topological() == once


@given(acyclic())
def test_every_plan_has_a_sink_and_the_default_assembly_follows_their_number(plan):
    graph = parse_graph(plan, max_tasks=8)
    sinks = graph.sinks()
    assert sinks
    assert not any(sink.id in task.depends_on for sink in sinks for task in graph.tasks)
    assert graph.assembly == default_assembly(graph.tasks) == ("last" if len(sinks) == 1 else "concat")


@given(acyclic())
def test_a_graph_survives_its_own_json(plan):
    graph = parse_graph(plan, max_tasks=8)
    assert parse_graph(json.loads(graph_json(graph)), max_tasks=8) == graph


@given(json_values)
def test_any_json_gives_a_graph_or_one_line(value):
    problem = ""
    graph = None
    try:
        graph = parse_graph(value, max_tasks=3)
    except PlanError as error:
        problem = str(error)
    assert (graph is None) == bool(problem)
    assert "\n" not in problem


@given(acyclic(), st.data())
def test_an_edge_that_closes_a_circle_is_refused_and_the_circle_named(plan, data):
    graph = parse_graph(plan, max_tasks=8)
    start = data.draw(st.sampled_from(graph.tasks))
    below = {start.id}
    for task in graph.topological():
        if below & set(task.depends_on):
            below.add(task.id)
    end = data.draw(st.sampled_from(sorted(below)))
    tasks = [{**task, "depends_on": [*task["depends_on"]]} for task in plan["tasks"]]
    next(task for task in tasks if task["id"] == start.id)["depends_on"].append(end)
    with pytest.raises(PlanError, match="depends on itself" if end == start.id else "cycle") as caught:
        parse_graph({"tasks": tasks}, max_tasks=8)
    assert end in str(caught.value)


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        ([], "object"),
        (None, "null"),
        ({}, "'tasks'"),
        ({"tasks": "a"}, "'tasks'"),
        ({"tasks": []}, "at least one"),
        ({"tasks": [{"id": "a"}]}, "'a': prompt"),
        ({"tasks": [{"prompt": "x"}]}, "task 1: id"),
        ({"tasks": ["a"]}, "task 1 is a string"),
        ({"tasks": [{"id": "a", "prompt": " \n"}]}, "'a': its prompt is empty"),
        ({"tasks": [{"id": "a b", "prompt": "x"}]}, "'a b'"),
        ({"tasks": [{"id": "-a", "prompt": "x"}]}, "'-a'"),
        ({"tasks": [{"id": "a" * 65, "prompt": "x"}]}, "an id is"),
        ({"tasks": [{"id": "a", "prompt": "x"}, {"id": "a", "prompt": "y"}]}, "'a': the id is used twice"),
        ({"tasks": [{"id": "a", "prompt": "x", "depends_on": ["a"]}]}, "'a': depends on itself"),
        ({"tasks": [{"id": "a", "prompt": "x", "depends_on": ["b"]}]}, "'a': depends on 'b'"),
        ({"tasks": [{"id": "a", "prompt": "x", "kind": "magic"}]}, "'a': kind"),
        ({"tasks": [{"id": "a", "prompt": "x", "checks": {"min": 1}}]}, "'a': checks.min"),
        ({"tasks": [{"id": "a", "prompt": "x"}], "assembly": "glue"}, "assembly is 'glue'"),
        ({"tasks": [{"id": "a", "prompt": "x"}], "assembly": ["concat"]}, "assembly is a list"),
        ({"tasks": [{"id": f"t{n}", "prompt": "x"} for n in range(6)]}, "6 tasks, more than max_tasks = 5"),
    ],
)
def test_an_invalid_plan_is_refused_by_name(plan, says):
    with pytest.raises(PlanError) as caught:
        parse_graph(plan, max_tasks=5)
    assert says in str(caught.value)


def test_all_wrong_tasks_are_named_at_once():
    plan = {
        "tasks": [{"id": "a", "prompt": "x", "depends_on": ["p", "q"]}, {"id": "b", "prompt": "x", "depends_on": ["b"]}]
    }
    with pytest.raises(PlanError) as caught:
        parse_graph(plan, max_tasks=5)
    assert all(word in str(caught.value) for word in ("'p'", "'q'", "'b': depends on itself"))


def test_an_error_stays_short_whatever_the_plan_holds():
    tasks = [{"id": "x" * 100_000, "prompt": "y", "depends_on": ["z" * 100_000]} for _ in range(1000)]
    with pytest.raises(PlanError) as caught:
        parse_graph({"tasks": tasks}, max_tasks=5000)
    assert len(str(caught.value)) < 3000
    ring = [{"id": f"t{n}", "prompt": "y", "depends_on": [f"t{(n + 1) % 5000}"]} for n in range(5000)]
    with pytest.raises(PlanError, match="cycle") as caught:
        parse_graph({"tasks": ring}, max_tasks=5000)
    assert len(str(caught.value)) < 3000


def test_defaults_are_those_of_the_contract():
    task = parse_graph({"tasks": [{"id": "a", "prompt": "x", "title": None, "extra": 1}]}, max_tasks=1).tasks[0]
    assert task == Task(id="a", title="a", prompt="x", kind="other", depends_on=(), output="text", tier="standard")


def test_a_dependency_named_twice_counts_once():
    plan = {"tasks": [{"id": "a", "prompt": "x"}, {"id": "b", "prompt": "x", "depends_on": ["a", "a"]}]}
    assert parse_graph(plan, max_tasks=2).task("b").depends_on == ("a",)


def test_an_id_nobody_has_is_a_key_error():
    with pytest.raises(KeyError):
        single_task("x").task("nobody")


@given(prompts)
def test_the_fallback_plan_is_the_prompt_itself(prompt):
    graph = single_task(prompt)
    assert [task.prompt for task in graph.tasks] == [prompt]
    assert parse_graph(json.loads(graph_json(graph)), max_tasks=1) == graph
