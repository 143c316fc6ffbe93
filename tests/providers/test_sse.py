"""Events come out the same however the bytes were cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai3ray.providers.sse import EventDecoder, ServerSentEvent

STREAM = (
    'event: one\ndata: {"a": "ü\u2028"}\n\n: ping\n\n'
    "data: two\ndata: lines\r\n\r\nid: 7\nevent: no data\n\ndata:x\r\r\n"
).encode()
EVENTS = [ServerSentEvent("one", '{"a": "ü\u2028"}'), ServerSentEvent("", "two\nlines"), ServerSentEvent("", "x")]


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_cuts_do_not_matter(cuts):
    edges = [0, *sorted(cuts), len(STREAM)]
    decoder = EventDecoder()
    chunks = (STREAM[start:end] for start, end in pairwise(edges))
    assert [event for chunk in chunks for event in decoder.feed(chunk)] == EVENTS


def test_an_event_without_its_blank_line_is_none():
    assert EventDecoder().feed(b"data: half\n") == []


def test_bytes_that_are_no_text_raise():
    with pytest.raises(UnicodeDecodeError):
        EventDecoder().feed(b"data: \xff\n\n")
