"""Numbers as people read them."""

import pytest

from ai3ray.report.format import clipped, count, money, seconds, share, size


@pytest.mark.parametrize(
    ("usd", "text"), [(None, "$?"), (0.0, "$0.0000"), (0.000012, "$0.000012"), (0.0421, "$0.0421"), (3.5, "$3.5000")]
)
def test_an_unknown_price_is_never_0(usd, text):
    assert money(usd) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (0.4, "0.40 s"), (12.34, "12.3 s"), (99.96, "1 min 40 s"), (185, "3 min 05 s"), (7800, "2 h 10 min")],
)
def test_lengths_of_time(value, text):
    assert seconds(value) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_400, "999.4 kB"),
        (999_900, "1.0 MB"),
        (5 * 10**15, "5000.0 TB"),
    ],
)
def test_sizes(number, text):
    assert size(number) == text


def test_counts_and_shares_and_beginnings():
    assert (count(1, "task"), count(1200, "call")) == ("1 task", "1,200 calls")
    assert (share(None), share(0.957)) == ("-", "96%")
    assert (clipped("short", 5), clipped("longer", 5)) == ("short", "long…")
