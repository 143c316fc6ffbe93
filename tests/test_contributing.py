"""What CONTRIBUTING promises: a strategy or a check is one new file and its name in a table."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import make_home

ROOT = Path(__file__).parent.parent

STRATEGY = '''
"""`backwards`: a model writes an opening, the sections follow from the last to the first."""

from ai3ray.assembler.concat import section
from ai3ray.assembler.port import Parts, Strategy
from ai3ray.domain.call import Message, Prompt
from ai3ray.prompts.asking import Ask, Asking


def backwards(parts: Parts) -> Asking[str]:
    prompt = Prompt(messages=(Message(role="user", text=f"Write an opening for: {parts.prompt}"),))
    opening = yield Ask(prompt, role="assemble", kind="writing")
    sections = [section(task, parts.outputs, parts.holes) for task in reversed(parts.graph.sinks())]
    return "\\n\\n".join(["THE OPENING", opening.reply.text, *sections])


BACKWARDS = Strategy(backwards)
'''

RULE = '''
"""No answer shouts."""

from ai3ray.domain.verdict import Defect


def shouting(task, reply):
    if reply.text.isupper():
        yield Defect(part="answer", problem="it is in capital letters")
'''


class Tree:
    """A copy of the product that somebody contributes to."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("ai3ray", "cli", "configs"):
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))

    def add(self, path: str, text: str) -> None:
        target = self.root / path
        assert not target.exists()
        target.write_text(text.lstrip(), encoding="utf-8")

    def name_in(self, path: str, *, after: str, name: str) -> None:
        """Add a name to a table, behind a word that stands there once."""
        target = self.root / path
        text = target.read_text(encoding="utf-8")
        assert text.count(after) == 1
        target.write_text(text.replace(after, f"{after}{name}"), encoding="utf-8")

    def python(self, *words: str, env: dict[str, str]) -> str:
        done = subprocess.run(
            [sys.executable, *words],
            capture_output=True,
            text=True,
            cwd=self.root,
            env={**env, "PYTHONPATH": str(self.root), "COLUMNS": "200"},
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def home(home_folder, simulator):
    return make_home(home_folder, simulator)


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)


def test_a_strategy_that_calls_a_model_is_one_file_and_its_name_in_the_tables(tree, home, simulator):
    tree.add("ai3ray/assembler/backwards.py", STRATEGY)
    tree.name_in("ai3ray/domain/assembly.py", after='"synthesize", ', name='"backwards", ')
    tree.name_in("ai3ray/assembler/strategies.py", after="{", name='"backwards": BACKWARDS, ')
    tree.name_in(
        "ai3ray/assembler/strategies.py",
        after="from ai3ray.assembler.last import LAST\n",
        name="from ai3ray.assembler.backwards import BACKWARDS\n",
    )

    show_schema = "import json; from ai3ray.planner.schema import plan_schema; print(json.dumps(plan_schema()))"
    assert "backwards" in json.loads(tree.python("-c", show_schema, env=home.env))["properties"]["assembly"]["enum"]
    assert "backwards" in tree.python("-m", "cli", "run", "--help", env=home.env)

    tasks = [{"id": "one", "prompt": "Describe Rome."}, {"id": "two", "prompt": "Describe Oslo."}]
    (tree.root / "plan.json").write_text(json.dumps({"tasks": tasks}), encoding="utf-8")
    words = ["run", "Two cities", "--plan", "plan.json", "--inline", "--no-verify", "--assembly", "backwards"]
    assert tree.python("-m", "cli", *words, env=home.env).startswith("THE OPENING")
    assert len(simulator.ledger.calls) == 3


def test_a_check_is_one_file_and_its_name_in_the_table(tree, home):
    tree.add("ai3ray/verifier/rules/shouting.py", RULE)
    tree.name_in("ai3ray/verifier/check.py", after="    repetition,\n", name="    shouting,\n")
    tree.name_in(
        "ai3ray/verifier/check.py",
        after="import repetition\n",
        name="from ai3ray.verifier.rules.shouting import shouting\n",
    )
    code = """
from ai3ray.domain.call import Reply, Usage
from ai3ray.domain.plan import Task
from ai3ray.verifier.check import check
reply = Reply(text="HELLO", finish="stop", usage=Usage(), model="m")
verdict = check(Task(id="t", prompt="Say hello."), reply, content=True)
print(verdict.defects[0].problem)
"""
    assert tree.python("-c", code, env=home.env) == "it is in capital letters\n"
