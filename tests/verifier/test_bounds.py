"""A rule costs little on an ordinary answer, and a bounded time on any."""

import time

import pytest

from ai3ray.domain.call import Reply, Usage
from ai3ray.domain.plan import Task
from ai3ray.verifier.check import ALWAYS, CONTENT, check, code_to_compile

PROMPT = "Write in French five tips with the sections 'A', 'B' and 'C', as plain text."
ORDINARY = "\n\n".join(
    f"## Harbour {n}\n\nThe harbour of town {n} has {n} berths, and `slip {n}` is the oldest of them. A pilot comes on "
    f"board at the outer buoy.\n\n- Water: pontoon {n}\n- Fuel: quay {n}\n\n"
    f"| Tide | Depth |\n|---|---|\n| high | {n} m |"
    for n in range(45)
)
SEEDS = ("a", " ", "\n", "[", "{", "<", "`", "**", "|", "# a\n", "1. a\n", "- a\n\n", "a b ", "。", "```\n", "~~~ x\n",
         "a: ", "<!--", "\n\n ", "sorry ", "// your ", "this section ", "[insert ", "data-", "é", "—", "1")  # fmt: skip


def fastest(call, times=20):
    """Seconds of CPU, so that a busy machine changes nothing."""
    taken = []
    for _ in range(times):
        begin = time.thread_time()
        call()
        taken.append(time.thread_time() - begin)
    return min(taken)


def answer(text):
    return Reply(text=text, finish="stop", usage=Usage(), model="m")


@pytest.mark.parametrize("rule", ALWAYS + CONTENT, ids=lambda rule: rule.__name__)
def test_a_rule_takes_milliseconds_for_ten_kilobytes(rule):
    assert 9_000 < len(ORDINARY) < 12_000
    task = Task(id="t", prompt=PROMPT, kind="writing", output="markdown")
    assert fastest(lambda: list(rule(task, answer(ORDINARY)))) < 0.02


@pytest.mark.parametrize("seed", SEEDS[::2])
def test_a_megabyte_of_anything_is_checked_in_bounded_time(seed):
    text = (seed * (1_000_000 // len(seed) + 1))[:1_000_000]
    for output in ("markdown", "code"):
        task = Task(id="t", prompt=PROMPT, output=output)
        begin = time.thread_time()
        check(task, answer(text), content=True)
        code_to_compile(task, text)
        assert time.thread_time() - begin < 8


@pytest.mark.parametrize("seed", SEEDS)
def test_a_long_prompt_costs_no_more_than_a_short_one(seed):
    task = Task(id="t", prompt="Write five tips. " + seed * (300_000 // len(seed)), output="markdown")
    begin = time.thread_time()
    check(task, answer(ORDINARY), content=True)
    assert time.thread_time() - begin < 2
