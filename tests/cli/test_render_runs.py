"""Runs, tasks and decisions as tables."""

import json

from ai3ray.domain.events import Decision
from ai3ray.domain.views import RunRow
from cli.render_runs import decisions_json, decisions_table, rows_json, run_text, runs_table
from cli.streams import rendered

from .recorded import EVENTS, RUN, run_result

ROW = RunRow(
    run_id=RUN,
    status="running",
    prompt="Write [bold]\nsomething\x1b[2J",
    started_at="2026-11-23T10:00:00.000Z",
    seconds=None,
    cost_usd=None,
)
DECISIONS = [event for event in EVENTS if isinstance(event, Decision)]


def test_a_list_of_runs_is_json_with_the_contracts_fields():
    assert json.loads(rows_json([ROW])) == [ROW.model_dump()]
    assert list(ROW.model_dump()) == ["run_id", "status", "prompt", "started_at", "seconds", "cost_usd"]


def test_a_run_is_one_line_of_the_list_whatever_its_prompt_holds():
    heading, line = rendered(runs_table([ROW])).splitlines()
    assert heading.split() == ["run", "status", "started", "time", "cost", "prompt"]
    assert line.split() == [RUN, "running", "2026-11-23T10:00:00", "-", "$?", "Write", "[bold]", "something␛[2J"]


def test_a_narrow_terminal_never_cuts_the_run_id():
    shown = rendered(runs_table([ROW]), width=60)
    assert RUN in shown
    assert all(len(line) <= 60 for line in shown.splitlines())


def test_a_run_in_full_has_heading_tasks_warnings_and_answer():
    text = run_text(run_result())
    assert text.startswith(f"{RUN}  partial\nWrite something\n3 tasks, 5 calls")
    assert "warning: a provider is out" in text
    assert "a Write the intro  succeeded" in text
    assert "not passed 0.25 by sim/judge; answer: misses the end" in text
    assert "overloaded: try later" in text
    assert text.endswith("\nthe intro\n")


def test_decisions_show_every_candidate_and_mark_the_chosen_one():
    lines = [line.split() for line in rendered(decisions_table(DECISIONS)).splitlines()]
    assert lines[1] == ["a", "task", "*", "sim/fast", "0.900", "quality", "+0.700", "cost", "+0.200"]
    assert lines[2] == ["sim/slow", "0.500", "quality", "+0.600", "cost", "-0.100"]
    assert lines[3] == ["sim/old", "0.000", "excluded:", "retired"]
    assert json.loads(decisions_json(DECISIONS))[0]["candidates"][2]["excluded"] == "retired"
