"""The timeline shows every call where it was."""

import re

import pytest

from ai3ray.report.timeline import CHART_W, NAMES_W, _step, timeline_figure, timeline_rows
from tests.report.samples import CALLS, call, record


def test_lines_are_planner_tasks_by_their_start_and_assembler():
    lines = timeline_rows(record())
    assert [line.name for line in lines] == ["plan", "Write the intro", "b", "assemble"]
    assert [len(line.bars) for line in lines] == [1, 3, 2, 1]


def test_a_bar_lies_between_its_calls_start_and_end():
    intro = timeline_rows(record())[1].bars
    assert [(bar.start, bar.end) for bar in intro] == [(2.5, 4.0), (4.0, 4.5), (4.5, 5.5)]


def test_a_call_whose_end_is_unknown_lasts_as_long_as_the_run():
    lost = timeline_rows(record())[2].bars[-1]
    assert (lost.start, lost.end) == (7.0, 12.34)


def test_every_call_is_drawn_inside_the_chart_and_failures_are_marked():
    picture = timeline_figure(record())
    bars = re.findall(
        r'<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)" height="14" rx="2" class="bar (\w+)( \w+)?"', picture
    )
    assert len(bars) == len(CALLS)
    assert all(float(x) >= NAMES_W and float(x) + float(width) <= NAMES_W + CHART_W + 1 for x, width, _, _ in bars)
    assert [role for _, _, role, bad in bars if bad] == ["task", "task"]
    assert "task 1, sim/fast, failed: overloaded, 0.50 s, $?" in picture


def test_a_call_that_took_no_time_is_still_seen():
    picture = timeline_figure(record(attempts=[call("x", seconds=0.0), call("y", second=30.0, seconds=30.0)]))
    assert 'width="2"' in picture


def test_a_run_without_calls_says_so():
    assert "No model was called" in timeline_figure(record(attempts=[]))
    assert "No model was called" in timeline_figure(record(attempts=[call("x", started_at="")]))


@pytest.mark.parametrize("span", [0.001, 0.4, 1, 7.3, 60, 100, 611, 3600, 50_000, 400_000])
def test_there_are_a_few_round_marks_whatever_the_length(span):
    assert span / _step(span) <= 8
