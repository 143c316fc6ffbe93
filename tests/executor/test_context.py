"""Context reaches the tasks that read it, fenced, and nobody else; the planner sees names and sizes."""

from __future__ import annotations

import re

import pytest

from ai3ray.connect import connect
from ai3ray.domain.request import ContextText
from tests.conftest import make_home, quiet
from tests.executor.graphs import asked

A = ContextText(name="a.log", text="Alpha failed at noon.")
B = ContextText(name="b.log", text="Beta never started.")
PLAN = {
    "tasks": [
        {"id": "first", "prompt": "Sum up a.log in a sentence."},
        {"id": "all", "prompt": "Say what broke."},
        {"id": "both", "prompt": "Compare the findings with b.log.", "depends_on": ["first"]},
        {"id": "end", "prompt": "Write a title.", "depends_on": ["all"]},
    ]
}


@pytest.fixture
async def client(simulator, home_folder):
    home = make_home(home_folder, simulator)
    async with connect(home.settings, home.env, inline=True, notify=quiet) as connected:
        yield connected


def prompts(simulator):
    """What each task's call said, by the first word of its task's prompt."""
    texts = [call.turns[-1][1] for call in simulator.ledger.calls]
    return {task["id"]: next(text for text in texts if text.endswith(task["prompt"])) for task in PLAN["tasks"]}


def fenced(text, prompt):
    """The texts that stand in fenced blocks, by name."""
    return dict(re.findall(r'<data-\w+ context="([^"]+)">\n(.*?)\n</data-', prompt, re.DOTALL))


async def test_each_task_gets_the_texts_it_names_and_a_first_task_that_names_none_gets_all(client, simulator):
    result = await client.run(asked(PLAN, context=(A, B), verify=False))
    assert result.status == "succeeded"
    a, b = {A.name: A.text}, {B.name: B.text}
    said = {task: fenced(task, prompt) for task, prompt in prompts(simulator).items()}
    assert said == {"first": a, "all": a | b, "both": b, "end": {}}


async def test_no_text_is_said_outside_its_fence_and_none_in_a_system_prompt(client, simulator):
    await client.run(asked(PLAN, context=(A, B), verify=False))
    for call in simulator.ledger.calls:
        outside = re.sub(r"<data-(\w+) .*?</data-\1>", "", call.turns[-1][1], flags=re.DOTALL)
        for text in (A.text, B.text):
            assert text not in outside + call.system


async def test_the_planner_sees_names_and_sizes_only(client, simulator):
    preview = await client.plan(asked(prompt="What broke?", context=(A, B)))
    assert preview.plan.tasks
    (call,) = simulator.ledger.calls
    assert '"a.log" (21 characters), "b.log" (19 characters)' in call.turns[-1][1]
    assert A.text not in str(call.turns)


async def test_a_prompt_without_a_plan_reads_everything(client, simulator):
    from ai3ray.domain.plan import single_task

    plan = single_task("What broke?").model_dump(mode="json", exclude_none=True)
    await client.run(asked(plan, context=(A, B), verify=False))
    (call,) = simulator.ledger.calls
    assert A.text in call.turns[-1][1]
    assert B.text in call.turns[-1][1]


async def test_the_largest_text_goes_through_request_journal_and_stream(client, simulator):
    large = ContextText(name="large.txt", text="word " * 200_000)
    accepted = await client.submit(asked(PLAN, context=(large,), verify=False))
    events = [event async for event in client.events(accepted.run_id)]
    assert events[0].request["context"][0]["text"] == large.text
    assert events[-1].type == "stats"
