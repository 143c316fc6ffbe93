"""Whole commands over the real engine in this process, with a provider that echoes."""

import csv
import fcntl
import io
import json
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from cli.command_errors import run_command_line
from cli.root import command_tree

ROOT = Path(__file__).parents[2]
PLAN = {
    "tasks": [
        {"id": "a", "title": "First", "prompt": "say hello"},
        {"id": "b", "prompt": "say bye", "depends_on": ["a"]},
        {"id": "c", "prompt": "say more"},
    ]
}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A folder with settings for a provider that needs no key, and a home of its own."""
    for name in [name for name in os.environ if name.startswith("AI3_") or name.endswith(("_API_KEY", "_BASE_URL"))]:
        monkeypatch.delenv(name)
    (tmp_path / "ai3.toml").write_text('[providers.echo]\nwire = "scripted"\nmodels = ["a", "b"]\n')
    (tmp_path / "plan.json").write_text(json.dumps(PLAN))
    monkeypatch.setenv("AI3_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sys, "stdin", None)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def ai3(capsys):
    """Run a command line: its exit code, stdout and stderr."""

    def call(*words):
        code = run_command_line(command_tree(), list(words))
        return code, *capsys.readouterr()

    return call


def test_an_answer_is_alone_on_stdout(ai3):
    code, out, err = ai3("run", "hello there", "--no-plan", "--inline", "--no-verify")
    assert (code, err) == (0, "")
    assert out.endswith("hello there\n")


def test_a_stream_is_a_line_per_event_and_the_answer_stays_alone(ai3):
    code, out, err = ai3("run", "one", "--plan", "plan.json", "--inline", "--no-verify", "--stream")
    assert code == 0
    assert "say bye" in out
    names = [line.split()[1] for line in err.splitlines()]
    assert (names[0], names[-2:]) == ("run_start", ["final", "stats"])
    assert names.count("task_artifact") == 3


def test_json_is_the_run_and_every_reader_then_finds_it(ai3):
    code, out, _ = ai3("run", "two", "--plan", "plan.json", "--inline", "--no-verify", "--json")
    run = json.loads(out)
    assert (code, run["status"], [task["id"] for task in run["tasks"]]) == (0, "succeeded", ["a", "b", "c"])

    assert [row["run_id"] for row in json.loads(ai3("runs", "list", "--json")[1])] == [run["run_id"]]
    assert run["run_id"] in ai3("runs", "list")[1]
    assert json.loads(ai3("runs", "show", "last", "--json")[1]) == run
    assert json.loads(ai3("runs", "show", run["run_id"][4:20], "--json")[1]) == run
    assert len(json.loads(ai3("runs", "show", "last", "--decisions", "--json")[1])) == 3
    assert "* echo/" in ai3("runs", "show", "last", "--decisions")[1]
    code, out, err = ai3("runs", "watch", "last")
    assert (code, out) == (0, run["output"].rstrip("\n") + "\n")
    assert err.splitlines()[-1].split()[1] == "stats"

    rows = json.loads(ai3("sql", "SELECT task_id, status FROM tasks ORDER BY task_id", "--format", "json")[1])
    assert rows == [{"task_id": name, "status": "succeeded"} for name in "abc"]
    listed = list(csv.reader(io.StringIO(ai3("sql", "SELECT 1 AS one, NULL AS none", "--format", "csv")[1])))
    assert listed == [["one", "none"], ["1", ""]]
    code, out, err = ai3("sql", "SELECT * FROM range(9)", "--limit", "2")
    assert (out.split(), "first 2 rows" in err) == (["range", "0", "1"], True)
    models = {view["model"]: view["calls"] for view in json.loads(ai3("models", "--json")[1])}
    assert models["echo/a"] + models["echo/b"] == 3


def test_a_run_that_is_not_there_is_exit_2(ai3):
    ai3("run", "hello", "--no-plan", "--inline", "--no-verify")
    for word in ("nope", f"run_{'0' * 22}"):
        code, out, err = ai3("runs", "show", word)
        assert (code, out, err.count("\n")) == (2, "", 1)


def test_wrong_sql_and_an_unknown_model_are_exit_2_and_one_line(ai3):
    ai3("run", "hello", "--no-plan", "--inline", "--no-verify")
    for words in (["sql", "DROP TABLE runs"], ["run", "x", "--no-plan", "--inline", "--model", "no-such-model"]):
        code, out, err = ai3(*words)
        assert (code, out, err.count("\n")) == (2, "", 1), err


def test_stats_are_charts_and_json_of_the_same_figures(ai3):
    assert ai3("stats") == (0, "no runs yet\n", "")
    ai3("run", "two", "--plan", "plan.json", "--inline", "--no-verify")
    code, out, _ = ai3("stats", "--since", "1h")
    assert code == 0
    assert out.startswith("1 run, 3 calls, $0.0000 + $? since ")
    titles = [line for line in out.splitlines() if line.startswith(("cost", "latency", "success", "runs", "verdicts"))]
    assert [title.split()[0] for title in titles] == ["cost", "latency", "success", "runs", "verdicts"]
    figures = json.loads(ai3("stats", "--json")[1])
    assert figures["since"] is None
    assert [(row["status"], row["runs"]) for row in figures["runs"]] == [("succeeded", 1)]
    assert sum(row["calls"] for row in figures["latency"]) == 3
    assert [(row["provider"], row["success_rate"]) for row in figures["providers"]] == [("echo", 1.0)]
    assert [row["tasks"] for row in figures["kinds"]] == [3]


@pytest.mark.parametrize("suffix", ["json", "parquet", "html"])
def test_a_run_is_exported_to_a_file_and_stdout_stays_empty(ai3, suffix, tmp_path):
    ai3("run", "two", "--plan", "plan.json", "--inline", "--no-verify")
    code, out, err = ai3("runs", "export", "last", "-o", f"run.{suffix}")
    assert (code, out, err.startswith(f"ai3: wrote run.{suffix}: run_")) == (0, "", True)
    assert (tmp_path / f"run.{suffix}").stat().st_size > 1000
    code, _, err = ai3("runs", "export", "run_nowhere", "-o", f"other.{suffix}")
    assert (code, err.count("\n"), (tmp_path / f"other.{suffix}").exists()) == (2, 1, False)


def test_pruning_is_told_asked_for_and_done(ai3, monkeypatch):
    assert ai3("runs", "prune", "--older-than", "1d", "--yes") == (0, "", "ai3: deleted nothing\n")
    ai3("run", "two", "--plan", "plan.json", "--inline", "--no-verify")
    assert ai3("runs", "prune", "--older-than", "1d", "--yes") == (0, "", "ai3: deleted nothing\n")
    code, out, err = ai3("runs", "prune", "--older-than", "0s", "--dry-run")
    assert (code, out, err.startswith("ai3: would delete 1 run: ")) == (0, "", True)
    code, out, err = ai3("runs", "prune", "--older-than", "0s")
    assert (code, out, "--yes" in err) == (2, "", True)
    monkeypatch.setenv("AI3_SERVER", "http://127.0.0.1:1")
    code, out, err = ai3("runs", "prune", "--older-than", "0s", "--yes")
    assert (code, out, "AI3_SERVER" in err) == (2, "", True)
    monkeypatch.delenv("AI3_SERVER")
    report = json.loads(ai3("runs", "prune", "--older-than", "0s", "--yes", "--json")[1])
    assert (report["runs"], report["dry_run"], report["bytes"] > 1000) == (1, False, True)
    assert ai3("runs", "list")[1] == "no runs yet\n"


@pytest.mark.parametrize(("reply", "left"), [("y\n", 0), ("n\n", 1), ("", 1)])
def test_a_person_is_asked_before_anything_is_deleted(ai3, monkeypatch, reply, left):
    class Person(io.StringIO):
        def isatty(self):
            return True

    ai3("run", "hello", "--no-plan", "--inline", "--no-verify")
    monkeypatch.setattr(sys, "stdin", Person(reply))
    code, out, err = ai3("runs", "prune", "--older-than", "0s")
    assert (code, out) == (0, "")
    assert "would delete 1 run" in err
    assert "[y/N]" in err
    assert len(json.loads(ai3("runs", "list", "--json")[1])) == left


def test_resuming_a_finished_run_prints_it_and_needs_no_head(ai3, home):
    _, answer, _ = ai3("run", "hello there", "--no-plan", "--inline", "--no-verify")
    assert ai3("runs", "resume", "last") == (0, answer, "")
    assert json.loads(ai3("runs", "resume", "last", "--json")[1])["status"] == "succeeded"
    assert not (home / "head.json").exists()
    assert ai3("runs", "resume", "run_nowhere")[0] == 2


def test_a_run_past_its_deadline_is_cancelled_with_exit_130(ai3, silent_provider):
    code, out, err = ai3("run", "hello", "--no-plan", "--inline", "--deadline", "0.5s")
    assert (code, out) == (130, "")
    assert "the deadline of 0.5 s ran out" in err
    assert [row["status"] for row in json.loads(ai3("runs", "list", "--json")[1])] == ["cancelled"]


def process(*words, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "cli", *words], env={**os.environ, "PYTHONPATH": str(ROOT)}, **options
    )


@pytest.fixture
def silent_provider(tmp_path):
    """Settings for a provider that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/v1"
        (tmp_path / "ai3.toml").write_text(f'[providers.slow]\nbase_url = "{url}"\nmodels = ["m"]\n')
        yield


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels_the_run(ai3, silent_provider, number):
    words = ["run", "hello", "--no-plan", "--inline", "--stream"]
    with process(*words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as ours:
        told = [next(ours.stderr) for _ in range(4)]
        assert told[-1].split()[1] == "task_start"
        ours.send_signal(number)
        out, err = ours.communicate(timeout=30)
    assert (ours.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert [row["status"] for row in json.loads(ai3("runs", "list", "--json")[1])] == ["cancelled"]


def test_a_run_in_this_process_goes_on_when_its_terminal_dies(ai3):
    ours, theirs = pty.openpty()
    code = (
        "import os, signal, sys; from cli import follow; from cli.root import command_tree\n"
        "from cli.command_errors import run_command_line\n"
        "original = follow.run_to_end\n"
        "def hung_up(*args, **options):\n"
        "    os.kill(os.getpid(), signal.SIGHUP)\n"
        "    os.close(int(sys.argv.pop()))\n"
        "    return original(*args, **options)\n"
        "follow.run_to_end = hung_up\n"
        "sys.exit(run_command_line(command_tree(), ['run', 'hello', '--no-plan', '--inline', '--no-verify']))\n"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"}
    command = [sys.executable, "-c", code, str(ours)]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env, pass_fds=[ours]) as run:
        os.close(ours)
        os.close(theirs)
        assert run.wait(timeout=60) == 0
    assert [row["status"] for row in json.loads(ai3("runs", "list", "--json")[1])] == ["succeeded"]


def on_terminal(*words):
    """What a run on a terminal of 80 columns writes there."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    shown = b""
    with process(*words, stdin=theirs, stdout=theirs, stderr=theirs) as run:
        os.close(theirs)
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            shown += piece
        assert run.wait(timeout=60) == 0
    os.close(ours)
    return shown.decode()


def test_context_reaches_the_task(ai3, tmp_path):
    (tmp_path / "notes.txt").write_text("Alpha and Omega")
    code, out, _ = ai3("run", "Sum up.", "--no-plan", "--inline", "--no-verify", "-f", "notes.txt")
    assert (code, "Alpha and Omega" in out) == (0, True)


def test_a_stream_on_a_terminal_is_a_tree_that_stays_above_the_answer(home, monkeypatch):
    for name, value in (("TERM", "xterm"), ("NO_COLOR", "1")):
        monkeypatch.setenv(name, value)
    text = on_terminal("run", "one", "--plan", "plan.json", "--inline", "--no-verify", "--stream")
    assert not re.findall(r"\x1b\[[0-9;]*m", text)
    last = text[text.rindex("\x1b[?25l") : text.rindex("\x1b[?25h")]
    rows = [" ".join(re.sub(r"\x1b\[\??[0-9]*[A-Za-z]", "", row).split()) for row in last.split("\n")]
    assert rows[0].endswith("succeeded plan from file, concat")
    assert [row.split()[:3] for row in rows[1:4]] == [["├", "✔", "a"], ["│", "└", "✔"], ["└", "✔", "c"]]
    assert "3/3 tasks" in rows[4]
    assert "say bye" in text[text.rindex("\x1b[?25h") :]


def test_a_dumb_terminal_gets_lines(home, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    text = on_terminal("run", "one", "--no-plan", "--inline", "--no-verify", "--stream")
    assert "\x1b" not in text
    assert "task_artifact" in text


def test_a_terminal_gets_a_spinner_and_markdown_and_no_escape_of_a_model(home):
    prompt = "# Title\n\n**bold** \x1b]0;owned\x07"
    text = on_terminal("run", prompt, "--no-plan", "--inline", "--no-verify")
    assert "**bold**" not in text
    assert "\x1b]0;" not in text
    assert "␛]0;owned␇" in text
    assert "ai3: succeeded: 1 task, 1 call" in text
