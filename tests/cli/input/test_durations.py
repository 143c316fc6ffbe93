"""Lengths of time as people type them."""

import pytest

from ai3ray.errors import UsageError
from cli.input.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "value"), [("30s", 30), ("5m", 300), ("1.5h", 5400), ("7d", 604_800), ("2W", 1_209_600), (" 0 s ", 0)]
)
def test_a_number_with_a_unit_is_seconds(text, value):
    assert parse_duration(text, "--since") == value


def test_a_number_alone_is_seconds_only_where_that_goes_without_saying():
    assert parse_duration("90", "--deadline", bare=True) == 90
    with pytest.raises(UsageError, match=r"--older-than .* '90'"):
        parse_duration("90", "--older-than")


@pytest.mark.parametrize("text", ["", "d", "7 days", "-3d", "1e3s", "inf", "nan", "5x", f"{'9' * 400}d", "٣d"])
def test_anything_else_is_refused(text):
    with pytest.raises(UsageError, match="length of time"):
        parse_duration(text, "--since", bare=True)
