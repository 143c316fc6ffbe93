"""Whatever a command does, it ends as one line and an exit code."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from typer.main import get_command

from ai3ray.domain.call import ErrorInfo
from ai3ray.domain.events import Stats
from ai3ray.domain.result import RunResult
from ai3ray.errors import HeadUnavailable, NotBuilt, PlanError, ServerRefused, UnknownRun
from cli.command_errors import exit_code, run_command_line, split_debug_flag

STATS = Stats(
    cost_usd=0.0,
    cost_complete=True,
    input_tokens=0,
    output_tokens=0,
    calls=0,
    tasks=0,
    seconds=0.0,
    critical_path_seconds=0.0,
)


def tree(body):
    """A command tree whose only leaf, `do`, runs `body`."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.callback()(lambda: None)

    @app.command("do")
    def do(number: int = 0) -> None:
        body()

    return get_command(app)


def result(status, error=None):
    return RunResult(
        run_id="run_1", status=status, prompt="p", output=None, tasks=(), stats=STATS, warnings=(), error=error
    )


def raising(error):
    def body():
        raise error

    return body


@pytest.mark.parametrize(
    ("status", "code"), [("succeeded", 0), ("failed", 1), ("partial", 3), ("cancelled", 130), ("running", 1)]
)
def test_a_runs_status_is_its_exit_code(status, code):
    assert exit_code(result(status)) == code


def test_a_spent_budget_goes_before_failed_and_partial_but_not_before_cancelled():
    spent = ErrorInfo(type="budget", message="spent")
    assert [exit_code(result(status, spent)) for status in ("failed", "partial", "cancelled")] == [4, 4, 130]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PlanError("task 'a' is wrong"), 2),
        (NotBuilt("not yet"), 2),
        (UnknownRun("no run"), 2),
        (ServerRefused("too long", status=400), 2),
        (ServerRefused("broken", status=500), 1),
        (HeadUnavailable("no head"), 1),
    ],
)
def test_words_that_are_wrong_before_the_first_call_are_exit_2(error, code):
    assert error.exit_code == code


def test_an_error_of_ours_is_one_line_on_stderr(capsys):
    assert run_command_line(tree(raising(PlanError("task 'a':\n its prompt\n is empty"))), ["do"]) == 2
    assert capsys.readouterr() == ("", "ai3: task 'a': its prompt is empty\n")


def test_a_fault_of_ours_is_one_line_and_exit_1(capsys):
    assert run_command_line(tree(raising(KeyError("x"))), ["do"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("ai3: internal error: KeyError: 'x'")
    assert err.count("\n") == 1


def test_debug_shows_the_traceback_wherever_it_stands(capsys):
    assert run_command_line(tree(raising(KeyError("x"))), ["do", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err
    run_command_line(tree(raising(KeyError("x"))), ["--debug", "do"])
    assert "Traceback" in capsys.readouterr().err


def test_debug_after_a_double_dash_is_a_word():
    assert split_debug_flag(["run", "--", "--debug"]) == (["run", "--", "--debug"], False)
    assert split_debug_flag(["--debug", "run", "x"]) == (["run", "x"], True)


@pytest.mark.parametrize("line", [["do", "--nope"], ["do", "--number", "x"], ["nope"], ["do", "extra"]])
def test_a_wrong_word_is_one_line_that_names_the_help(line, capsys):
    assert run_command_line(tree(lambda: None), line) == 2
    err = capsys.readouterr().err
    assert err.startswith("ai3: ")
    assert "--help" in err
    assert err.count("\n") == 1


def test_ctrl_c_outside_a_run_is_130_without_a_word(capsys):
    assert run_command_line(tree(raising(KeyboardInterrupt())), ["do"]) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_the_code_that_a_command_exits_with_is_the_process_exit_code():
    assert run_command_line(tree(raising(typer.Exit(3))), ["do"]) == 3


def test_an_error_of_the_system_names_the_file(capsys):
    assert run_command_line(tree(lambda: Path("/nowhere/at/all").read_text()), ["do"]) == 1
    assert capsys.readouterr().err == "ai3: /nowhere/at/all: No such file or directory\n"


def test_an_unknown_status_counts_as_failed():
    assert exit_code(SimpleNamespace(status="odd", error=None)) == 1
