"""What a run that had to stop can still answer."""

from ai3ray.assembler.salvage import salvage
from ai3ray.domain.plan import parse_graph

HOLES = {"b": "no money", "c": "no money", "d": "no money"}


def graph(**deps):
    tasks = [{"id": name, "title": name.upper(), "prompt": name, "depends_on": list(on)} for name, on in deps.items()]
    return parse_graph({"tasks": tasks}, max_tasks=9)


def test_nothing_is_salvaged_from_nothing():
    assert salvage(graph(a=""), "concat", {}, {"a": "no money"}) is None


def test_siblings_stand_beside_the_holes_in_plan_order():
    assert salvage(graph(a="", b="", c=""), "concat", {"a": "One.", "c": "Three."}, {"b": "no money"}) == (
        "## A\n\nOne.\n\n> [missing: B (b): no money]\n\n## C\n\nThree."
    )


def test_an_output_that_went_into_none_is_shown_before_what_should_have_come_of_it():
    chain = graph(a="", b="a", c="b")
    assert salvage(chain, "last", {"a": "One."}, HOLES) == "## A\n\nOne.\n\n> [missing: C (c): no money]"
    assert salvage(chain, "last", {"a": "One.", "b": "Two."}, HOLES) == "## B\n\nTwo.\n\n> [missing: C (c): no money]"


def test_where_the_last_task_is_the_answer_and_is_there_it_is_the_answer():
    assert salvage(graph(a="", b=""), "last", {"b": "Two."}, {"a": "no money"}) == "Two."


def test_one_output_alone_still_says_what_is_missing():
    assert "[missing: D (d): no money]" in salvage(graph(a="", b="a", c="a", d="bc"), "concat", {"a": "One."}, HOLES)
