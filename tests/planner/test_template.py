"""What becomes of requests when no model can plan: their kind, counts and names are honoured, the rest is one task."""

from __future__ import annotations

import time

import pytest

from ai3ray.domain.plan import parse_graph
from ai3ray.domain.request import ContextText, RunRequest
from ai3ray.planner.template import template_plan
from tests.bench.everyday import PROMPTS as EVERYDAY


def plan(prompt: str, **fields):
    return template_plan(RunRequest(prompt=prompt, **{"max_tasks": 20, **fields}))


def titles(prompt: str, **fields) -> list[str]:
    return [task.title for task in plan(prompt, **fields).tasks]


SECTIONS = [
    (
        "Write a 3-section blog post about AI",
        ["What AI is", "How AI is used today", "The future of AI and its risks"],
    ),
    (
        "Please write a three section article on remote work.",
        ["An introduction to remote work", "Remote work in practice", "What to remember"],
    ),
    ('Write a 2-section blog post about "deep work"', ["An introduction to deep work", "Deep work in practice"]),
    ("write a two-section post about cats", ["An introduction to cats", "Cats in practice"]),
    (
        "Write an essay about the French Revolution in 4 parts",
        [
            "An introduction to the French Revolution",
            "The French Revolution in practice",
            "Common misunderstandings",
            "What to remember",
        ],
    ),
    (
        "Write a 3-section blog post about AI in education, each section about 100 words",
        ["What AI in education is", "How AI in education is used today", "The future of AI in education and its risks"],
    ),
    ("Write a tutorial about git in 2 chapters", ["An introduction to git", "Git in practice"]),
    ("Write a blog post about dogs with sections on food, training and health", ["Food", "Training", "Health"]),
    ("Create a guide about Paris with chapters: museums, food, and parks", ["Museums", "Food", "Parks"]),
    ("Write a report with sections: costs; research; risks", ["Costs", "Research", "Risks"]),
    (
        "Write an article with sections on costs, the team, and research and development",
        ["Costs", "Team", "Research and development"],
    ),
    (
        "Compare Rust, Go and Zig for a small CLI",
        ["Rust", "Go", "Zig", "How they compare"],
    ),
    ("Write a comparison of trains, planes and cars", ["Trains", "Planes", "Cars", "How they compare"]),
    (
        "Pros and cons of working from home",
        ["The advantages of working from home", "The disadvantages of working from home"],
    ),
    (
        "What are the advantages and disadvantages of electric cars?",
        ["The advantages of electric cars", "The disadvantages of electric cars"],
    ),
    ("How to bake bread", ["Before you begin", "Step by step", "Common mistakes"]),
    ("Write a guide on how to plant tomatoes", ["Before you begin", "Step by step", "Common mistakes"]),
    ("Explain how to change a tire step by step", ["Before you begin", "Step by step", "Common mistakes"]),
]


@pytest.mark.parametrize(("prompt", "expected"), SECTIONS, ids=lambda value: str(value)[:40])
def test_counts_names_and_kinds_of_texts_make_the_parts(prompt, expected):
    graph = plan(prompt)
    assert [task.title for task in graph.tasks] == expected
    assert graph.assembly == "concat"
    assert not any(task.depends_on for task in graph.tasks)


CHAINS = [
    (
        "First list three fruits, then describe each of them, and finally pick the best one.",
        ["List three fruits.", "Describe each of them.", "Pick the best one."],
    ),
    (
        "First write a short story about a fox. Then summarize it in one sentence. Finally give it a title.",
        ["Write a short story about a fox.", "Summarize it in one sentence.", "Give it a title."],
    ),
    (
        "Write a poem about autumn, then translate it into French",
        ["Write a poem about autumn.", "Translate it into French."],
    ),
    (
        "Brainstorm 10 business ideas and then pick the best three and explain why",
        ["Brainstorm 10 business ideas.", "Pick the best three and explain why."],
    ),
]


@pytest.mark.parametrize(("prompt", "steps"), CHAINS, ids=lambda value: str(value)[:40])
def test_steps_that_follow_each_other_read_each_other(prompt, steps):
    graph = plan(prompt)
    assert [task.prompt for task in graph.tasks] == steps
    assert [task.depends_on for task in graph.tasks] == [(), *((task.id,) for task in graph.tasks[:-1])]
    assert graph.assembly == "last"


ONE_TASK = [
    "What is the capital of Japan?",
    "Why is the sky blue?",
    "How do I reverse a list in Python?",
    "How can I sleep better? Give me some steps.",
    "What is the difference between a virus and a bacterium?",
    "Give me 5 tips for better sleep",
    "List ten ideas for a birthday party",
    "Suggest 25 names for a cat",
    "Write an email to my landlord about a broken heater",
    "Write a cover letter for a nurse",
    "Write a thank-you letter to my teacher",
    "Write a poem about the sea",
    "Write a haiku about winter",
    "Write a story about a dragon",
    "Write a 3-part story about a dragon",
    "Write a blog post about the history of tea",
    "Draft a report on solar energy, 500 words",
    "Can you write me a newsletter about our new coffee shop?",
    "Postgres versus MySQL",
    "Answer these questions:\n1. What is tea?\n2. Who was Ada Lovelace?\n3) Why do cats purr?",
    "Explain photosynthesis in three paragraphs",
    "Write a short blog post about cats",
    "Write a 100-word article about bees",
    "Write a one-section blog post about AI",
    "Write a blog post about AI in one paragraph",
    "Give me 3 title ideas for a blog post about AI",
    "Write an outline for an essay on Rome",
    "Write an introduction to an article about whales",
    "Summarize this text: AI is everywhere. It has 3 sections on dogs, cats and birds.",
    "Summarize in 3 paragraphs: once upon a time about a king ...",
    "Translate 'Good morning, how are you?' to French",
    "Proofread my 3-section essay about AI: it are good",
    "Rewrite this blog post about dogs with sections on food and health: Dogs are nice.",
    "Write a Python function that checks whether a number is prime",
    "Write SQL that counts users per country",
    "What is 17 * 23?",
    "Describe the water cycle",
    "Explain quantum computing to a 10 year old",
    "Write a LinkedIn post about my new job",
    "Plan a 3-day trip to Rome",
    "Schreibe einen Blogartikel über KI mit 3 Abschnitten",
    "Write a blog post",
    "3 sections",
    "compare",
    "Compare the two attached files",
    "then",
    "First, hello.",
    "Shopping list:\n- milk\n- eggs\n- bread",
    "1. What is tea?",
    "I was reading a book, then the phone rang. Who was it?",
    "🙂",
    "Write a 3-section blog post about " + "very " * 60 + "long things",
]


@pytest.mark.parametrize("prompt", ONE_TASK, ids=lambda value: value[:40])
def test_everything_else_is_one_task_the_prompt_itself(prompt):
    graph = plan(prompt)
    assert [task.prompt for task in graph.tasks] == [prompt]
    assert graph.assembly == "last"


MORE_THAN_ONE = {
    "Write a 3-section blog post about AI": 3,
    "Compare tea and coffee": 3,
    "How to bake bread": 3,
    "Pros and cons of working from home": 2,
    "Write a blog post about dogs with sections on food, training and health": 3,
    "First list three fruits, then describe each of them, and finally pick the best one.": 3,
}


@pytest.mark.parametrize("prompt", EVERYDAY)
def test_everyday_prompts_have_as_many_tasks_as_they_ask_for(prompt):
    assert len(plan(prompt).tasks) == MORE_THAN_ONE.get(prompt, 1)


def test_more_than_sixty_requests_are_tried():
    assert len(ONE_TASK) + len(SECTIONS) + len(CHAINS) > 60


@pytest.mark.parametrize("count", range(2, 21))
def test_any_number_of_sections_is_honoured_and_no_two_are_alike(count):
    for subject in (
        "AI",
        "gardening",
        "the Roman Empire",
        "the history of tea",
        "how bees talk",
        "a long walk in the snow",
    ):
        graph = plan(f"Write a {count}-section report about {subject}")
        assert len(graph.tasks) == count
        assert len({task.title for task in graph.tasks}) == count
        assert "{{" not in graph.model_dump_json()
        assert parse_graph(graph.model_dump(), max_tasks=20) == graph


def test_the_plan_never_has_more_tasks_than_allowed():
    assert len(plan("Write a 9-section blog post about AI", max_tasks=4).tasks) == 4
    assert len(plan("First write a poem, then shorten it, then translate it.", max_tasks=2).tasks) == 1
    assert len(plan("Write a 9-section blog post about AI", max_tasks=1).tasks) == 1


def test_the_names_and_the_purpose_reach_the_prompts():
    graph = plan("Compare Rust, Go and Zig for a small CLI")
    assert all(
        f"{name} for a small CLI" in task.prompt for name, task in zip(["Rust", "Go"], graph.tasks, strict=False)
    )
    assert "Rust, Go and Zig for a small CLI" in graph.tasks[-1].prompt
    assert all(
        "dogs" in task.prompt for task in plan("Write a blog post about dogs with sections on food and fun").tasks
    )


def test_a_request_overrides_the_assembly_and_texts_that_come_with_it_keep_it_one_task():
    assert plan("Write a 3-section blog post about AI", assembly="last").assembly == "last"
    context = (ContextText(name="a.txt", text="A"),)
    assert len(plan("Compare A and B", context=context).tasks) == 1


def test_kinds_are_told_apart():
    def kind(prompt):
        return plan(prompt).tasks[0].kind

    assert kind("Translate this into French: hello") == "translation"
    assert kind("Write a Python function that adds") == "coding"
    assert kind("Summarize the plot of Hamlet") == "summarization"
    assert kind("What is 17 * 23?") == "reasoning"
    assert kind("Write a poem about rain") == "writing"
    assert kind("Why is the sky blue?") == "other"


def test_the_same_request_has_the_same_plan_and_no_request_takes_long():
    assert plan("Write a 3-section blog post about AI") == plan("Write a 3-section blog post about AI")
    hostile = ["then " * 300, "write " * 250, "a, b and " * 160, "1. what?\n" * 150, "compare a vs " * 110, "x " * 700]
    hostile += ["with sections on " + "a, " * 480, "about " * 240, " " * 1400 + "x", "write a " + "very-" * 280]
    for text in hostile:
        began = time.perf_counter()
        plan(text)
        assert time.perf_counter() - began < 2.0
