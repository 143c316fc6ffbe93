"""What a merging model is asked, and how a lost part is noticed."""

from __future__ import annotations

import pytest

from ai3ray.assembler.port import Parts
from ai3ray.assembler.synthesize import lost_parts, synthesize
from ai3ray.domain.call import Prompt
from ai3ray.domain.plan import Task, TaskGraph

TEXTS = {
    "coast": "Harbours along the northern coast freeze in January, so ferries run from Kemi only until December.",
    "inland": "Inland railways carry timber and paper; the line through Kuopio was electrified in 1984 with 25 kV.",
    "air": "Flights to Ivalo double during the aurora season, and the runway was lengthened to 2500 metres.",
}
GRAPH = TaskGraph(
    tasks=tuple(Task(id=name, title=name.title(), prompt=f"Write about {name}.") for name in TEXTS),
    assembly="synthesize",
)


REWORDED = """Rail first: timber and paper roll through Kuopio, electrified in 1984 (25 kV). By sea, ferries leave
Kemi until December, for the harbours freeze in January. By air, Ivalo's flights double with the aurora, on a runway
of 2500 metres."""


def asked(parts: Parts) -> Prompt:
    return next(synthesize(parts)).prompt


def titles(answer: str) -> list[str]:
    return [task.title for task in lost_parts(GRAPH, TEXTS, answer)]


def test_parts_are_fenced_the_question_comes_last_and_holes_are_named():
    outputs = {name: text for name, text in TEXTS.items() if name != "air"}
    prompt = asked(Parts(GRAPH, outputs, {"air": "refused"}, "How does Finland travel?", "f00d"))
    (message,) = prompt.messages
    assert message.text.endswith("How does Finland travel?")
    assert message.text.count("</data-f00d>") == 2
    assert "Missing: Air." in message.text
    assert not any(text in prompt.system for text in TEXTS.values())


def test_the_cap_leaves_room_for_all_parts():
    long = dict.fromkeys(TEXTS, "word " * 4000)
    assert asked(Parts(GRAPH, long, {}, "x", "f")).max_output_tokens >= 3 * 4000


@pytest.mark.parametrize(
    "answer",
    [
        "\n\n".join(TEXTS.values()),
        REWORDED,
    ],
)
def test_a_rewording_keeps_its_parts(answer):
    assert titles(answer) == []


def test_a_part_that_was_left_out_is_named():
    assert titles(TEXTS["coast"] + TEXTS["air"]) == ["Inland"]


def test_an_answer_about_something_else_lost_them_all():
    assert titles("Here is a poem about the sea, the wind and the long way home.") == ["Coast", "Inland", "Air"]


def test_scripts_without_spaces_are_judged_too():
    texts = {
        "a": "北海道の冬は長く、雪が深い。札幌では毎年雪祭りがある。",
        "b": "沖縄は一年中暖かく、珊瑚礁の海が広い。",
    }
    graph = TaskGraph(tasks=tuple(Task(id=n, title=n, prompt=n) for n in texts), assembly="synthesize")
    assert [task.id for task in lost_parts(graph, texts, texts["a"])] == ["b"]
    assert lost_parts(graph, texts, texts["a"] + texts["b"]) == ()
