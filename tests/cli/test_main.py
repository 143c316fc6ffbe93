"""The command tree, in-process where it may be and as a process where it must."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.command_errors import run_command_line
from cli.root import command_tree

BUILT = [
    "run",
    "plan",
    "runs",
    "models",
    "stats",
    "sql",
    "up",
    "down",
    "status",
    "serve",
    "keys",
    "doctor",
    "local",
    "simulate",
]
UNBUILT = ["batch", "submit", "cache"]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home of its own, and nothing set but that."""
    for name in [name for name in os.environ if name.startswith("AI3_") or name.endswith("_API_KEY")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AI3_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def ai3(*words):
    return run_command_line(command_tree(), list(words))


def process(*words):
    command = [sys.executable, "-m", "cli", *words]
    root = Path(__file__).parents[2]
    return subprocess.run(command, capture_output=True, text=True, cwd=root, stdin=subprocess.DEVNULL, timeout=60)


def one_line(capsys):
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("ai3: ")
    assert err.count("\n") == 1
    return err


def test_help_names_every_built_command_and_no_other(capsys):
    assert ai3("--help") == 0
    listed = capsys.readouterr().out.partition("Commands:")[2]
    assert sorted(line.split()[0] for line in listed.splitlines() if line.strip()) == sorted(BUILT)


@pytest.mark.parametrize("line", [[], ["-h"]])
def test_ai3_alone_is_its_help(line, capsys):
    assert ai3(*line) == 0
    assert "Examples:\n    ai3 run " in capsys.readouterr().out


@pytest.mark.parametrize(
    "command",
    [
        *([name] for name in BUILT if name not in {"runs", "local", "keys"}),
        ["local", "install"],
        ["keys", "new"],
        *(["runs", verb] for verb in ("list", "show", "watch", "resume", "export", "prune")),
    ],
)
def test_every_command_has_help_with_an_example(command, capsys):
    assert ai3(*command, "--help") == 0
    out = capsys.readouterr().out
    assert f"Examples:\n    ai3 {' '.join(command)}" in out
    assert "\b" not in out


@pytest.mark.parametrize("command", [command for command in command_tree().commands.values() if not command.hidden])
def test_a_commands_line_in_the_help_begins_its_own_help(command):
    assert command.load().help.split("\n\n")[0] == command.help


@pytest.mark.parametrize("name", UNBUILT)
def test_a_promised_command_is_refused_whatever_follows_it(name, capsys):
    for words in ([], ["--help"], ["in.jsonl", "-o", "out", "--budget=3"]):
        assert ai3(name, *words) == 2
        assert one_line(capsys).startswith(f"ai3: ai3 {name}")


@pytest.mark.parametrize(
    "words",
    [
        ["run"],
        ["run", ""],
        ["run", " \n"],
        ["run", "x", "y"],
        ["run", "x", "--max-concurrency", "0"],
        ["run", "x", "--assembly", "vote"],
        ["run", "x", "--no-such-flag"],
        ["run", "x", "--config", "nowhere.toml"],
        ["run", "--plan", "nowhere.json"],
        ["run", "x", "-f", "nowhere.txt"],
        ["run", "x", "--detach", "--inline"],
        ["run", "x", "--detach", "--stream"],
        ["run", "x", "--deadline", "soon"],
        ["run", "x", "--deadline", "0"],
        *(["run", "x", "--budget", amount] for amount in ("0", "$0", "-1", "nan", "inf", "much", "", "1,5", "1 €")),
        ["plan", "x", "--budget", "0"],
        ["plan", ""],
        ["sql", " "],
        ["sql", "SELECT 1", "--format", "xml"],
        ["runs"],
        ["runs", "show"],
        ["runs", "export", "last"],
        ["runs", "export", "last", "-o", "run.pdf"],
        ["runs", "prune"],
        ["runs", "prune", "--older-than", "30"],
        ["runs", "prune", "--older-than", "30d"],
        ["stats", "--since", "yesterday"],
        ["stats", "--since", "99999999w"],
    ],
)
def test_wrong_words_are_exit_2_and_one_line(words, capsys, home, monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    assert ai3(*words) == 2
    one_line(capsys)
    assert not (home / "head.json").exists()


def test_a_broken_plan_file_is_told_before_anything_starts(tmp_path, capsys, home, monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    (tmp_path / "p.json").write_text('{"tasks": [\n{]}')
    assert ai3("run", "--plan", "p.json") == 2
    assert "p.json: line 2, column 2" in one_line(capsys)
    (tmp_path / "p.json").write_text(json.dumps({"tasks": [{"id": "a", "prompt": "p", "depends_on": ["a"]}]}))
    assert ai3("run", "--plan", "p.json") == 2
    assert "task 'a'" in one_line(capsys)
    assert not home.exists()


def test_a_head_that_is_not_there_is_said(capsys):
    assert ai3("down") == 0
    assert capsys.readouterr().out == "no head is running\n"
    assert ai3("status") == 0
    assert "no head is running" in capsys.readouterr().out
    assert ai3("status", "--json") == 0
    assert json.loads(capsys.readouterr().out)["running"] is False


def test_python_m_cli_is_ai3():
    shown, version = process("--help"), process("--version")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith("Usage: ai3 ")
    assert version.stdout.startswith("ai3 ")


def test_help_loads_nothing_heavy(home):
    names = ["ray", "duckdb", "pydantic", "httpx", "rich", "starlette", "openai", "anthropic"]
    code = (
        "import sys; from cli.command_errors import run_command_line; from cli.root import command_tree;"
        "run_command_line(command_tree(), ['--help']);"
        f"print([name for name in {names} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stderr == "[]\n"
