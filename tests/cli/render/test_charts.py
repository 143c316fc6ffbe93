"""Bars out of characters."""

import io
import sys

import pytest
from rich.cells import cell_len

from cli.render.charts import ChartBar, chart

BARS = [ChartBar("a", "1.00 s", 1.0), ChartBar("a longer name", "12.0 s", 8.0), ChartBar("none", "-")]


def lines(bars, width, **more):
    return chart("title", bars, width=width, **more).plain.splitlines()


def test_bars_are_as_long_as_their_values_in_proportion():
    drawn = lines(BARS, 100)
    assert drawn[0] == "title"
    assert [line.count("█") for line in drawn[1:]] == [6, 48, 0]


def test_the_columns_stand_below_each_other():
    drawn = lines([*BARS, ChartBar("日本", "x", 2.0)], 60)
    assert len({cell_len(line) for line in drawn[1:]}) == 1


def test_a_part_behind_another_is_lighter():
    assert lines([ChartBar("m", "", 1.0, 4.0)], 20)[1].split()[1] == "█" * 4 + "░" * 11


def test_more_than_nothing_is_seen_and_nothing_is_not():
    assert "▏" in lines([ChartBar("a", "", 1e-9), ChartBar("b", "", 1.0)], 40)[1]
    assert lines([ChartBar("a", "", 0.0), ChartBar("b", "", 1.0)], 40)[1].split() == ["a"]
    assert lines([ChartBar("a", "", 0.0)], 40)[1].split() == ["a"]


def test_a_given_maximum_is_the_full_bar():
    assert lines([ChartBar("a", "", 0.5)], 29, full=1.0)[1].split() == ["a", "█" * 12]


@pytest.mark.parametrize("width", [80, 40, 24, 12])
def test_a_narrow_terminal_loses_the_bars_then_the_names_and_keeps_the_figures(width):
    drawn = lines([ChartBar("anthropic/claude-sonnet-5-5", "1.0 s", 1.0), ChartBar("x", "2.0 s", 2.0)], width)
    assert all(cell_len(line) <= width for line in drawn[1:])
    assert drawn[1].endswith("1.0 s")


def test_a_terminal_without_block_characters_gets_plain_ones(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="latin-1"))
    assert set(lines([ChartBar("a", "", 1.0, 2.0), ChartBar("b", "", 0.3)], 40)[1].split()[1]) == {"#", "-"}


def test_a_label_cannot_drive_the_terminal():
    assert "\x1b" not in chart("t", [ChartBar("\x1b[2J\nx", "", 1.0)], width=40).plain
