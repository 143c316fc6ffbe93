"""`--budget`: the words it takes, what the screen shows, and what a run that spent it ends with."""

import json
import os

import pytest

from ai3ray.domain.call import ErrorInfo
from ai3ray.domain.events import PlanProgress, RunStart
from cli.command_errors import run_command_line
from cli.input.amounts import parse_dollars
from cli.live.frame import Canvas, frame
from cli.live.live_run import LiveRun
from cli.render.final_answer import failure_summary, print_result
from cli.root import command_tree

from .recorded import PLAN, at, run_result, task

SPENT = ErrorInfo(type="budget", message="the budget of $0.25 cannot pay for another call: $0.2497 is spent")


@pytest.mark.parametrize(
    ("text", "dollars"), [("0.25", 0.25), ("$0.25", 0.25), (" $ 3 ", 3.0), (".5", 0.5), ("2.", 2.0), ("1e-3", 0.001)]
)
def test_an_amount_may_have_a_dollar_sign(text, dollars):
    assert parse_dollars(text, "--budget") == dollars


def test_what_a_stopped_run_has_is_printed_and_the_exit_code_is_4(capsys):
    stopped = run_result("failed", "the intro", error=SPENT)
    assert print_result(stopped, as_json=False) == 4
    out, err = capsys.readouterr()
    assert out == "the intro\n"
    assert err.startswith(f"ai3: failed: budget: {SPENT.message}; no answer for b (failed)")
    assert err.count("\n") == 1
    assert print_result(stopped, as_json=True) == 4
    assert json.loads(capsys.readouterr().out)["error"]["type"] == "budget"


def test_many_tasks_without_an_answer_are_counted_not_named():
    tasks = tuple(task(f"t{n}", status="failed") for n in range(11))
    many = run_result("failed", None, error=SPENT).model_copy(update={"tasks": tasks})
    assert "; no answer for 11 of 11 tasks; " in failure_summary(many)


def test_the_live_view_shows_what_of_the_budget_is_spent():
    run = LiveRun()
    run.event(at(RunStart(request={"prompt": "p", "budget_usd": 0.25}), 1, 0))
    run.event(at(PlanProgress(phase="started"), 2, 0))
    run.event(at(PlanProgress(phase="completed", plan=PLAN, source="model"), 3, 0))
    lines = frame(run, Canvas(120, 30, "2026-11-23T10:00:05.000Z", phase=0))
    assert "$0.0000 of $0.25" in lines[-1].plain


@pytest.fixture
def inline(home_folder, simulator, monkeypatch):
    """The command line in this process, its providers the simulator."""
    for name in [name for name in os.environ if name.startswith("AI3_")]:
        monkeypatch.delenv(name)
    for name, value in {**simulator.env(), "AI3_HOME": str(home_folder)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(home_folder)
    plan = {"tasks": [{"id": f"t{n}", "prompt": f"Write about subject {n}."} for n in range(5)]}
    (home_folder / "plan.json").write_text(json.dumps(plan))
    return lambda *words: run_command_line(
        command_tree(), [*words, "--inline", "--model", "gpt-6.1-sol", "--no-verify"]
    )


def test_a_run_over_budget_ends_with_4_and_its_part_of_the_answer_on_stdout(inline, simulator, capsys):
    assert inline("run", "--plan", "plan.json", "--budget", "$0.004") == 4
    out, err = capsys.readouterr()
    assert "[missing: " in out
    assert len(out.split()) > 100
    assert "ai3: failed: budget: the budget of $0.004 cannot pay for another call" in err
    assert inline("run", "--plan", "plan.json", "--budget", "0.5") == 0
