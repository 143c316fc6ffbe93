"""What a run that had to stop can still answer."""

from ai3ray.assembler.port import Parts
from ai3ray.assembler.salvage import salvage
from ai3ray.domain.plan import parse_graph

HOLES = {"b": "no money", "c": "no money", "d": "no money"}


def graph(**deps):
    tasks = [{"id": name, "title": name.upper(), "prompt": name, "depends_on": list(on)} for name, on in deps.items()]
    return parse_graph({"tasks": tasks}, max_tasks=9)


def test_nothing_is_salvaged_from_nothing():
    assert salvage(Parts(graph(a=""), {}, {"a": "no money"}), "concat") is None


def test_siblings_stand_beside_the_holes_in_plan_order():
    assert salvage(Parts(graph(a="", b="", c=""), {"a": "One.", "c": "Three."}, {"b": "no money"}), "concat") == (
        "## A\n\nOne.\n\n> [missing: B (b): no money]\n\n## C\n\nThree."
    )


def test_an_output_that_went_into_none_is_shown_before_what_should_have_come_of_it():
    chain = graph(a="", b="a", c="b")
    assert salvage(Parts(chain, {"a": "One."}, HOLES), "last") == "## A\n\nOne.\n\n> [missing: C (c): no money]"
    assert (
        salvage(Parts(chain, {"a": "One.", "b": "Two."}, HOLES), "last")
        == "## B\n\nTwo.\n\n> [missing: C (c): no money]"
    )


def test_where_the_last_task_is_the_answer_and_is_there_it_is_the_answer():
    assert salvage(Parts(graph(a="", b=""), {"b": "Two."}, {"a": "no money"}), "last") == "Two."


def test_one_output_alone_still_says_what_is_missing():
    assert "[missing: D (d): no money]" in salvage(
        Parts(graph(a="", b="a", c="a", d="bc"), {"a": "One."}, HOLES), "concat"
    )
