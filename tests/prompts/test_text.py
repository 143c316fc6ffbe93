"""Limited room is shared fairly and wholly."""

from hypothesis import given, settings
from hypothesis import strategies as st

from ai3ray.prompts.text import cut, one_line, shares


@settings(deadline=None, database=None)
@given(st.lists(st.integers(0, 1000), max_size=30), st.integers(0, 5000), st.integers(1, 500))
def test_shares_never_exceed_the_room_nor_waste_it(lengths, total, each):
    given_ = shares(lengths, total, each)
    wanted = [min(length, each) for length in lengths]
    assert sum(given_) <= total
    assert all(got <= want for got, want in zip(given_, wanted, strict=True))
    if sum(wanted) <= total:
        assert list(given_) == wanted
    else:
        assert sum(given_) > total - max(1, len(lengths))


@settings(deadline=None, database=None)
@given(st.lists(st.integers(0, 1000), min_size=2, max_size=30), st.integers(0, 5000))
def test_nobody_is_cut_below_what_another_gets(lengths, total):
    given_ = shares(lengths, total, 10_000)
    short = [got for got, length in zip(given_, lengths, strict=True) if got < length]
    if short:
        assert max(given_) <= min(short) + len(lengths)


def test_cut_says_what_is_missing():
    assert cut("abc", 3) == "abc"
    assert cut("abcd", 3) == "abc\n[cut: the first 3 of 4 characters]"


def test_one_line_is_one_line():
    assert one_line(" a\n b\t c ") == "a b c"
    assert one_line("x" * 200, 10) == "x" * 9 + "…"
