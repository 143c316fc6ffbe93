"""Runs, tasks and decisions as tables."""

import json
from dataclasses import replace

import pytest

from ai3ray.domain.events import Candidate, Decision
from ai3ray.domain.listings import RunRow
from cli.render.run_tables import decisions_json, decisions_text, rows_json, run_text, runs_table
from cli.streams import render_text
from tests.cli.recorded import EVENTS, RUN, run_result

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
    heading, line = render_text(runs_table([ROW])).splitlines()
    assert heading.split() == ["run", "status", "started", "time", "cost", "prompt"]
    assert line.split() == [RUN, "running", "2026-11-23T10:00:00", "-", "$?", "Write", "[bold]", "something␛[2J"]


def test_a_narrow_terminal_never_cuts_the_run_id():
    shown = render_text(runs_table([ROW]), width=60)
    assert RUN in shown
    assert all(len(line) <= 60 for line in shown.splitlines())


@pytest.mark.parametrize("seconds", [0.5, 185.0, 45_000.0])
def test_on_a_terminal_of_eighty_columns_each_run_is_one_readable_line(seconds):
    run_id = f"run_{'1' * 22}"
    fields = {
        "run_id": run_id,
        "status": "succeeded",
        "seconds": seconds,
        "cost_usd": 12.3456,
        "prompt": "Compare Rust and Go " * 5,
    }
    rows = [ROW.model_copy(update=fields)] * 3
    lines = render_text(runs_table(rows, terminal=True), width=80).splitlines()
    assert len(lines) == 4
    assert all(len(line) <= 80 for line in lines)
    assert lines[1].startswith(f"{run_id} succeeded 11-23 10:00")
    assert lines[1].endswith("…")
    assert "Compare" in lines[1]


def test_a_run_in_full_has_heading_tasks_warnings_and_answer():
    text = run_text(run_result())
    assert text.startswith(f"{RUN}  partial\nWrite something\n3 tasks, 5 calls")
    assert "warning: a provider is out" in text
    assert "a Write the intro  succeeded" in text
    assert "not passed 0.25 by sim/judge; answer: misses the end" in text
    assert "overloaded: try later" in text
    assert text.endswith("\nthe intro\n")


def test_decisions_show_every_candidate_and_mark_the_chosen_one():
    lines = [line.split() for line in decisions_text(DECISIONS).splitlines()]
    assert lines[0] == ["a", "task:", "sim/fast"]
    assert lines[1] == ["model", "score", "qual", "cost"]
    assert lines[2] == ["*", "sim/fast", "0.900", "0.700", "0.200"]
    assert lines[3] == ["sim/slow", "0.500", "0.600", "-0.100"]
    assert lines[4] == ["excluded,", "retired:", "sim/old"]
    assert json.loads(decisions_json(DECISIONS))[0]["candidates"][2]["excluded"] == "retired"


def test_a_decision_with_all_terms_fits_into_eighty_columns():
    terms = ("quality", "tier", "success", "latency", "cost", "load", "sampled")
    names = [f"anthropic/claude-mythos-5-{n}" for n in range(4)]
    seen = [Candidate(model=name, score=0.912345, terms=dict.fromkeys(terms, 0.123456)) for name in names]
    out = [replace(one, model=f"xai/{n}", excluded="already tried") for n, one in enumerate(seen * 5)]
    decision = DECISIONS[0].model_copy(update={"model": names[2], "candidates": (*seen, *out)})
    lines = decisions_text([decision], width=80).splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert lines[1].split() == ["model", "score", "qual", "tier", "succ", "lat", "cost", "load", "draw"]
    assert lines[4].split() == ["*", names[2], "0.912", *["0.123"] * 6, "+0.123"]
    assert "xai/19" in " ".join(lines[6:])


def test_no_decisions_are_said_to_be_none():
    assert decisions_text([]) == "no decisions yet\n"
