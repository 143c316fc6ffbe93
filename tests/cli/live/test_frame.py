"""One picture of a run, at every size of a terminal."""

import pytest
from rich.cells import cell_len

from ai3ray.domain.events import PlanProgress, RunStart, TaskStart
from cli.live.frame import ASCII, Canvas, frame
from cli.live.live_run import LiveRun
from tests.cli.recorded import EVENTS, RUN, at, run_result

NOW = "2026-11-23T10:00:08.000Z"


def after(events):
    run = LiveRun()
    for event in events:
        run.event(event)
    return run


def picture(run, width=120, height=30, phase=0, **more):
    return [line.plain.rstrip() for line in frame(run, Canvas(width, height, NOW, phase, **more))]


def wide(count):
    plan = {"tasks": [{"id": f"t{n}", "prompt": "p"} for n in range(count)], "assembly": "concat"}
    return [
        at(event, seq, 0)
        for seq, event in enumerate((RunStart(request={}), PlanProgress(phase="completed", plan=plan)), 1)
    ]


def test_a_run_that_plans_is_a_spinner():
    assert picture(LiveRun()) == ["⠋ starting"]
    assert picture(after(EVENTS[:2])) == ["⠋ planning  8 s"]
    assert picture(after(EVENTS[:2]), phase=1) == ["⠙ planning  8 s"]


def test_a_run_that_ended_without_a_plan_leaves_nothing():
    assert picture(after(EVENTS[:2]), phase=None) == []


def test_each_task_shows_state_model_tokens_cost_verdict_and_seconds():
    first, a, b, c, bar = picture(after(EVENTS[:9]))
    assert first == f"{RUN}  running  plan from model, concat"
    figures = "1,020 tok $0.0020 pass 0.25 0.75 s"
    assert " ".join(a.split()) == f"└ ✔ a Write the intro fast {figures}"
    assert " ".join(b.split()) == "└ ⠋ b slow 6 s"
    assert " ".join(c.split()) == "└ ○ c End␛[2J after b"
    assert bar == "━" * 10 + "─" * 20 + "  1/3 tasks  $0.002000  8 s"
    assert a.index("└") < b.index("└") < c.index("└")


def test_the_last_picture_has_the_runs_own_figures():
    run = after(EVENTS)
    run.ended(run_result())
    *tree, bar = picture(run, phase=None)
    assert tree[0] == f"{RUN}  partial  plan from model, concat"
    assert [line.split()[1] for line in tree[1:]] == ["✔", "✘", "◌"]
    assert bar == "━" * 30 + "  3/3 tasks, 2 lost  $0.0123  12.3 s"


@pytest.mark.parametrize("width", [1, 20, 40, 80, 120, 300])
@pytest.mark.parametrize("count", [3, 9, len(EVENTS)])
def test_no_line_is_wider_than_the_terminal(width, count):
    assert all(cell_len(line) <= width for line in picture(after(EVENTS[:count]), width))


def test_a_narrow_terminal_keeps_name_verdict_and_time():
    a = picture(after(EVENTS[:9]), 40)[1]
    assert a.split()[:3] == ["└", "✔", "a"]
    assert a.endswith("pass 0.25  0.75 s")
    assert "fast" not in a


@pytest.mark.parametrize("height", [10, 24, 60])
def test_two_hundred_tasks_fit_on_the_screen(height):
    run = after(wide(200))
    assert len(picture(run, 80, height)) < height
    for number in range(30):
        run.event(at(TaskStart(task_id=f"t{number}", attempt_id="x", model="s/m"), number + 3, 1))
    lines = picture(run, 80, height)
    assert len(lines) < height
    assert any("tasks waiting" in line for line in lines)
    assert sum("⠋ t" in line for line in lines) == min(30, height - 5)


def test_only_the_last_picture_may_be_longer_than_the_screen():
    run = after(wide(40))
    assert len(picture(run, 80, 24, phase=None)) < 24
    assert len(picture(run, 80, 24, phase=None, final=True)) == 42


def test_ascii_is_enough():
    lines = picture(after(EVENTS[:9]), glyphs=ASCII)
    assert lines[1].split()[:3] == ["`-", "+", "a"]
    assert lines[-1].startswith("##########----")
    assert all(line.isascii() for line in [lines[1], lines[2], lines[4]])
