"""Code and dangerous JSON are checked in another process, which may die without harm."""

import resource
import sys
import time

import psutil
import pytest

from ai3ray.child.launcher import child_environment
from ai3ray.domain.call import Reply, Usage
from ai3ray.domain.plan import Checks, Task
from ai3ray.verifier import isolation
from ai3ray.verifier.check import check, check_with_code, code_to_compile
from ai3ray.verifier.code import check_code
from ai3ray.verifier.isolation import ProcessIsolation, checked_apart
from ai3ray.verifier.sandbox import limited

CODE = Task(id="t", prompt="Write a Python function that adds two numbers.", kind="coding", output="code")
TEXT = CODE.model_copy(update={"output": "markdown", "prompt": "Explain addition in Python."})
GOOD = "```python\ndef add(a, b):\n    return a + b\n```"
BROKEN = "```python\ndef add(a, b)\n    return a + b\n```"
SLOW = Task(id="t", prompt="x", output="json", checks=Checks(json_schema={"type": "string", "pattern": "^(a+)+$"}))


def reply(text, finish="stop"):
    return Reply(text=text, finish=finish, usage=Usage(), model="m")


async def test_code_is_compiled_in_another_process():
    isolated = ProcessIsolation()
    assert (await isolated.check(CODE, reply(GOOD))).passed
    verdict = await isolated.check(CODE, reply(BROKEN))
    assert not verdict.passed
    assert verdict.score == 0.0
    assert verdict.by == "rules"
    assert "line 1" in verdict.defects[0].problem


async def test_a_check_that_does_not_end_is_ended_and_is_a_defect(monkeypatch):
    monkeypatch.setattr(isolation, "CHECK_TIMEOUT_S", 1.5)
    begin = time.monotonic()
    verdict = await ProcessIsolation().check(SLOW, reply('"' + "a" * 60 + '!"'))
    assert time.monotonic() - begin < 10
    assert not verdict.passed
    assert "took longer" in verdict.defects[0].problem
    assert not [child for child in psutil.Process().children() if "sandbox" in " ".join(child.cmdline())]


async def test_a_check_that_dies_is_a_defect(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    verdict = await ProcessIsolation().check(CODE, reply(GOOD))
    assert not verdict.passed
    assert "died" in verdict.defects[0].problem


def test_the_checking_process_gets_no_keys(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    assert "secret" not in child_environment().values()


def test_limits_hold_while_checking_and_are_lifted_after_it():
    before = resource.getrlimit(resource.RLIMIT_CPU), resource.getrlimit(resource.RLIMIT_AS)
    with limited():
        assert 0 < resource.getrlimit(resource.RLIMIT_CPU)[0] < 10_000
        with pytest.raises(MemoryError):
            bytearray(1 << 40)
    assert (resource.getrlimit(resource.RLIMIT_CPU), resource.getrlimit(resource.RLIMIT_AS)) == before


async def test_only_what_is_dangerous_goes_elsewhere():
    sent = []

    async def rules(task, answer):
        sent.append("rules")
        return check(task, answer, content=True)

    async def compile_code(job):
        sent.append("code")
        return check_code(*job)

    assert not (await checked_apart(CODE, reply(BROKEN), rules, compile_code)).passed
    assert (await checked_apart(SLOW, reply('"aaa"'), rules, compile_code)).passed
    assert not (await checked_apart(CODE, reply(BROKEN, "length"), rules, compile_code)).passed
    assert sent == ["code", "rules"]


def test_defects_of_rules_and_compilers_are_told_together():
    task = CODE.model_copy(update={"checks": Checks(must_include=("multiply",))})
    assert len(check_with_code(task, reply(BROKEN)).defects) == 2


@pytest.mark.parametrize(
    ("task", "text", "compiled"),
    [
        (CODE, GOOD, True),
        (CODE, "def add(a, b): return a + b", True),
        (CODE, "```\nx = 1\n```", True),
        (CODE, "```rust\nfn main() {}\n```", False),
        (CODE.model_copy(update={"prompt": "Write a shell loop."}), "for f in *; do echo $f; done", False),
        (CODE.model_copy(update={"prompt": "Write Python 2 code."}), "print 1", False),
        (CODE.model_copy(update={"prompt": "Show Python code with a syntax error."}), BROKEN, False),
        (TEXT, f"See:\n\n{BROKEN.replace('return', 'c = 1;' + chr(10) + '    return')}\n", True),
        (TEXT, "See:\n\n```python\ndef add(a, b):\n```", False),
        (TEXT, "See:\n\n```json\n{\n  // a remark\n  1\n}\n```", False),
        (TEXT.model_copy(update={"kind": "writing"}), BROKEN, False),
        (TEXT.model_copy(update={"output": "json"}), BROKEN, False),
    ],
)
def test_code_has_to_compile_where_code_was_asked_for(task, text, compiled):
    assert (code_to_compile(task, text) is not None) is compiled


def test_blocks_keep_their_numbers():
    text = f"```python\nx = 1\n```\n\ntext\n\n{BROKEN}"
    (defect,) = check_code(*code_to_compile(CODE, text))
    assert defect.part == "code block 2"
