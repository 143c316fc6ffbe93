"""Whatever a planner model replies, a run gets a plan it can run: valid, repaired, or the fallback with its warning."""

import json
import time
from typing import Any

import pytest

from ai3ray.domain.call import FinishReason, Prompt, Reply, Usage
from ai3ray.domain.plan import parse_graph
from ai3ray.domain.request import ContextText, RunRequest
from ai3ray.errors import KeyRefused, NoModelLeft, Overloaded
from ai3ray.planner.planner import PlanMade, PlannerSettings, make_plan
from ai3ray.planner.schema import plan_schema
from ai3ray.prompts.asking import Answered, Ask, drive
from ai3ray.prompts.packaged_prompts import packaged_prompt

REQUEST = RunRequest(prompt="Compare the Rhine\nand the Danube {{context}}, please.  ")
MAX_TASKS = 20


def task(name: str, *deps: str, **more: Any) -> dict[str, Any]:
    return {
        "id": name,
        "title": name.title(),
        "prompt": f"Write about {name}.",
        "kind": "writing",
        "depends_on": list(deps),
        "output": "markdown",
        "tier": "standard",
        **more,
    }


def plan(*tasks: Any, assembly: str = "concat", **more: Any) -> str:
    return json.dumps({"tasks": list(tasks), "assembly": assembly, **more})


GOOD = plan(task("rhine"), task("danube"), task("both", "rhine", "danube"), assembly="last")


class Scripted:
    """Answers from a list and remembers what it was asked."""

    def __init__(self, *replies: str | tuple[str, FinishReason] | Exception) -> None:
        self._replies = list(replies)
        self.asked: list[Prompt] = []

    async def __call__(self, ask: Ask) -> Answered:
        self.asked.append(ask.prompt)
        assert ask.n == len(self.asked)
        reply = self._replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        text, finish = reply if isinstance(reply, tuple) else (reply, "stop")
        return Answered(Reply(text=text, finish=finish, usage=Usage(), model="planner-1"), "p/planner-1")


async def planned(ask: Scripted, request: RunRequest = REQUEST, max_tasks: int = MAX_TASKS) -> PlanMade:
    request = request.model_copy(update={"max_tasks": max_tasks})
    return await drive(make_plan(request, PlannerSettings(max_output_tokens=1000, temperature=0.0)), ask)


def chain(length: int) -> str:
    return plan(*(task(f"t{n}", *([f"t{n - 1}"] if n else [])) for n in range(length)), assembly="last")


# Replies that are a plan, in whatever dress: the ids that have to come out.
READABLE: dict[str, tuple[str, list[str]]] = {
    "bare": (GOOD, ["rhine", "danube", "both"]),
    "one task": (plan(task("answer"), assembly="last"), ["answer"]),
    "indented": (json.dumps(json.loads(GOOD), indent=2), ["rhine", "danube", "both"]),
    "in a fence": (f"```json\n{GOOD}\n```", ["rhine", "danube", "both"]),
    "in a fence that is never closed": (f"```json\n{GOOD}", ["rhine", "danube", "both"]),
    "prose around": (f"Sure! Here is the plan:\n\n{GOOD}\n\nLet me know.", ["rhine", "danube", "both"]),
    "prose with braces before": (f"I use {{ids}} and [lists] like {{this}}: {GOOD}", ["rhine", "danube", "both"]),
    "the form quoted before": (f'The form is {{"tasks": [...], "assembly": "…"}}. {GOOD}', ["rhine", "danube", "both"]),
    "an invalid draft before": (f"{plan(task('x', 'y'))}\nBetter:\n{GOOD}", ["rhine", "danube", "both"]),
    "byte order mark": (f"\ufeff{GOOD}", ["rhine", "danube", "both"]),
    "trailing commas": (GOOD.replace("}]", "},]").replace('"last"}', '"last",}'), ["rhine", "danube", "both"]),
    "commas and brackets inside strings": (
        plan(task("a", prompt="Print [1, 2, ] and {x, }")).replace('"concat"}', '"concat",}'),
        ["a"],
    ),
    "line breaks inside strings": (plan(task("a", prompt="one two")).replace("one two", "one\ntwo"), ["a"]),
    "wrapped in an object": (json.dumps({"plan": json.loads(GOOD)}), ["rhine", "danube", "both"]),
    "wrapped in a list": (f"[{GOOD}]", ["rhine", "danube", "both"]),
    "a list of tasks at the top": (json.dumps([task("a"), task("b", "a")]), ["a", "b"]),
    "null fields": (plan({"id": "a", "prompt": "x", "title": None, "kind": None, "depends_on": None}), ["a"]),
    "only id and prompt": ('{"tasks": [{"id": "a", "prompt": "x"}]}', ["a"]),
    "unknown fields": (plan(task("a", model="gpt", tools=["rm"], budget_usd=9), notes="hi"), ["a"]),
    "a kind that does not exist": (plan(task("a", kind="research", tier="huge", output="html")), ["a"]),
    "a kind of a wrong type": (plan(task("a", kind=["writing"], tier=3)), ["a"]),
    "unicode": (plan(task("a", title="Überblick 🚀", prompt="Écris sur la 東京 — «ça».")), ["a"]),
    "JSON inside a prompt": (plan(task("a", prompt='Fill {"tasks": [{"id": "z"}], "x": "}"} in.')), ["a"]),
    "NaN beside the tasks": (plan(task("a"))[:-1] + ', "confidence": NaN}', ["a"]),
    "an id of 64 characters": (plan(task("a" * 64)), ["a" * 64]),
    "exactly as many tasks as allowed": (chain(MAX_TASKS), [f"t{n}" for n in range(MAX_TASKS)]),
    "a dependency named twice": (plan(task("a"), task("b", "a", "a")), ["a", "b"]),
    "tasks in reverse order": (plan(task("b", "a"), task("a")), ["b", "a"]),
}

# Replies that are no plan, and a word of the reason that the repair has to quote.
UNREADABLE: dict[str, tuple[str | tuple[str, FinishReason], str]] = {
    "empty": ("", "empty"),
    "blank": (" \n\t", "empty"),
    "prose": ("I would begin with the Rhine.", "no JSON object"),
    "cut in a string": ((GOOD[:120], "length"), "cut off"),
    "cut after a task": ((GOOD[: GOOD.index("danube") - 10], "length"), "cut off"),
    "cut but told as finished": (GOOD[:-20], "not valid JSON"),
    "cycle": (plan(task("a", "b"), task("b", "a")), "cycle"),
    "long cycle": (plan(*(task(f"t{n}", f"t{(n + 1) % 9}") for n in range(9))), "cycle"),
    "duplicate id": (plan(task("a"), task("a")), "used twice"),
    "unknown dependency": (plan(task("a", "ghost")), "'ghost'"),
    "depends on itself": (plan(task("a", "a")), "itself"),
    "200 tasks": (plan(*(task(f"t{n}") for n in range(200))), "200 tasks"),
    "no tasks": (plan(), "at least one task"),
    "tasks is a string": ('{"tasks": "all of them"}', "'tasks'"),
    "tasks is null": ('{"tasks": null}', "'tasks'"),
    "tasks are strings": (plan("rhine", "danube"), "task 1 is a string"),
    "id is a number": (plan(task("a", id=1)), "id"),
    "prompt is null": (plan(task("a", prompt=None)), "prompt"),
    "prompt is blank": (plan(task("a", prompt="  ")), "empty"),
    "prompt is a list": (plan(task("a", prompt=["x"])), "prompt"),
    "depends_on is a string": (plan(task("a"), task("b", depends_on="a")), "depends_on"),
    "an id of 100,000 characters": (plan(task("a" * 100_000)), "an id is"),
    "an id with a space": (plan(task("a b")), "'a b'"),
    "half a surrogate pair": (plan(task("a")).replace("Write", "\\ud800"), "Unicode"),
    "NaN as the list": ('{"tasks": NaN}', "'tasks'"),
    "another object": ('{"answer": "The Rhine is shorter."}', "'tasks'"),
    "a list of numbers": ("[1, 2, 3]", "no JSON object"),
    "a JSON string": ('"tasks"', "no JSON object"),
    "single quotes": ("{'tasks': [{'id': 'a', 'prompt': 'x'}]}", "not valid JSON"),
    "nested too deeply": ('{"tasks":' * 50_000, "nested too deeply"),
    "brackets without end": ("[" * 100_000, "no JSON object"),
    "an unknown assembly": (plan(task("a"), assembly="blend"), "blend"),
    "two things wrong": (plan(task("a", "ghost"), task("a")), "used twice"),
    "a refusal in words": ("I'm sorry, but I can't help with that.", "no JSON object"),
}


@pytest.mark.parametrize("name", READABLE)
async def test_a_readable_plan_takes_one_call_and_no_warning(name):
    text, ids = READABLE[name]
    ask = Scripted(text)
    made = await planned(ask)
    assert [one.id for one in made.graph.tasks] == ids
    assert (made.source, made.warnings, len(ask.asked)) == ("model", (), 1)
    assert parse_graph(made.graph.model_dump(), max_tasks=MAX_TASKS) == made.graph


@pytest.mark.parametrize("name", UNREADABLE)
async def test_an_invalid_plan_is_repaired_in_one_round_that_quotes_what_is_wrong(name):
    reply, reason = UNREADABLE[name]
    ask = Scripted(reply, GOOD)
    made = await planned(ask)
    assert [one.id for one in made.graph.tasks] == ["rhine", "danube", "both"]
    assert (made.source, made.warnings) == ("model", ())
    repair = ask.asked[1].messages[-1].text
    text = reply[0] if isinstance(reply, tuple) else reply
    assert reason in repair.partition("<earlier>")[0]
    assert text[:1000].strip() in repair.partition("<earlier>")[2]
    assert len(repair) < 30_000


@pytest.mark.parametrize("name", UNREADABLE)
async def test_a_plan_that_stays_invalid_becomes_the_prompt_itself_and_says_why(name):
    reply, reason = UNREADABLE[name]
    ask = Scripted(reply, reply)
    made = await planned(ask)
    assert [one.prompt for one in made.graph.tasks] == [REQUEST.prompt]
    assert made.source == "fallback"
    assert [warning.code for warning in made.warnings] == ["fallback_plan"]
    message = made.warnings[0].message
    assert reason in message
    assert "\n" not in message
    assert len(message) < 400


async def test_a_cut_off_reply_that_holds_a_whole_valid_plan_counts():
    ask = Scripted((f"{GOOD}\nNow let me explain why I", "length"))
    assert (await planned(ask)).source == "model"
    assert len(ask.asked) == 1


async def test_the_repair_of_a_cut_off_plan_has_twice_the_room():
    ask = Scripted((GOOD[:50], "length"), GOOD)
    await planned(ask)
    assert [prompt.max_output_tokens for prompt in ask.asked] == [1000, 2000]


async def test_the_repair_of_an_invalid_plan_has_the_same_room():
    ask = Scripted("{}", GOOD)
    await planned(ask)
    assert [prompt.max_output_tokens for prompt in ask.asked] == [1000, 1000]


async def test_a_refusal_is_not_asked_again():
    ask = Scripted(("", "refusal"))
    made = await planned(ask)
    assert made.source == "fallback"
    assert "refused" in made.warnings[0].message
    assert len(ask.asked) == 1


async def test_a_refusal_in_the_repair_leads_to_the_fallback():
    made = await planned(Scripted("{}", ("no", "refusal")))
    assert made.source == "fallback"


@pytest.mark.parametrize("error", [Overloaded("full"), NoModelLeft("nobody")])
async def test_a_repair_that_cannot_be_asked_leads_to_the_fallback(error):
    made = await planned(Scripted("{}", error))
    assert made.source == "fallback"
    assert str(error) in made.warnings[0].message


@pytest.mark.parametrize("error", [KeyRefused("bad key"), NoModelLeft("nobody")])
async def test_when_nobody_can_be_asked_at_all_the_error_comes_out(error):
    with pytest.raises(type(error)):
        await planned(Scripted(error))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (plan(task("a"), task("b"), assembly="synthesize"), "synthesize"),
        (plan(task("a"), task("b"), assembly="last"), "last"),
        (plan(task("a"), task("b", "a"), assembly="concat"), "concat"),
    ],
)
async def test_the_planner_chooses_the_assembly(text, expected):
    assert (await planned(Scripted(text))).graph.assembly == expected


@pytest.mark.parametrize("reply", [GOOD, "nonsense"])
async def test_the_request_overrides_the_assembly(reply):
    request = RunRequest(prompt="x", assembly="concat")
    made = await planned(Scripted(reply, reply), request)
    assert made.graph.assembly == "concat"


async def test_a_planner_cannot_set_checks():
    made = await planned(Scripted(plan(task("a", checks={"min_words": 10_000}))))
    assert made.graph.tasks[0].checks is None


@pytest.mark.parametrize("which", [0, 1], ids=["plan", "repair"])
async def test_the_users_prompt_is_there_once_verbatim_and_last(which):
    ask = Scripted("not a plan", GOOD)
    await planned(ask)
    prompt = ask.asked[which]
    assert [message.role for message in prompt.messages] == ["user"]
    text = prompt.messages[0].text
    assert text.endswith(REQUEST.prompt)
    assert text.count(REQUEST.prompt) == 1
    assert REQUEST.prompt not in prompt.system
    assert prompt.json_schema == plan_schema()
    assert prompt.temperature == 0.0


async def test_context_is_named_and_never_shown():
    context = (ContextText(name="notes\nIGNORE ALL.txt", text="secret content"),)
    ask = Scripted("not a plan", GOOD)
    await planned(ask, RunRequest(prompt="x", context=context))
    for prompt in ask.asked:
        assert '"notes IGNORE ALL.txt"' in prompt.messages[0].text
        assert "secret content" not in prompt.messages[0].text + prompt.system


async def test_the_system_prompt_is_the_same_for_every_request():
    first, second = Scripted(GOOD), Scripted(GOOD)
    await planned(first)
    await planned(second, RunRequest(prompt="another"), max_tasks=7)
    assert first.asked[0].system == second.asked[0].system
    assert "7 tasks" in second.asked[0].messages[0].text


async def test_the_limit_of_tasks_is_the_callers():
    made = await planned(Scripted(chain(3), chain(3)), max_tasks=2)
    assert made.source == "fallback"
    assert "3 tasks" in made.warnings[0].message


def test_the_scripts_are_many_enough():
    assert len(READABLE) + len(UNREADABLE) >= 40


def test_the_examples_in_the_prompt_are_valid_plans():
    examples = [line for line in packaged_prompt("planner").splitlines() if line.startswith('{"tasks"')]
    assert len(examples) == 2
    for example in examples:
        parse_graph(json.loads(example), max_tasks=MAX_TASKS)


@pytest.mark.parametrize(
    "text",
    ['{"tasks": [{"id": "' + '\\"' * 200_000, '{"a":' * 100_000, "[{" * 200_000, '{"tasks":[' + '{"id":1},' * 50_000],
    ids=["a string without end", "objects in objects", "lists of objects", "a list without end"],
)
async def test_a_reply_made_to_be_slow_is_read_at_once(text):
    begin = time.monotonic()
    assert (await planned(Scripted(text, text))).source == "fallback"
    assert time.monotonic() - begin < 10
