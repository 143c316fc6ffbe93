"""The live view as a whole, on a terminal that only counts."""

import io
import time

from rich.console import Console

from cli.live.live_view import LEAST_S, LiveView
from tests.cli.recorded import EVENTS, RUN, run_result


class Counting(io.StringIO):
    """Counts what is written."""

    writes = 0

    def write(self, text):
        self.writes += bool(text)
        return super().write(text)


def view_on(stream, **options):
    return LiveView(Console(file=stream, force_terminal=True, color_system=None, width=80, **options))


def test_a_storm_of_events_is_drawn_at_most_ten_times_a_second():
    stream = Counting()
    began = time.monotonic()
    with view_on(stream) as view:
        while time.monotonic() - began < 0.5:
            for event in EVENTS[:12]:
                view.event(event)
    # The first and the last picture, and the line break behind it, come on top.
    assert stream.writes <= (time.monotonic() - began) / LEAST_S + 4


def test_the_end_stays_with_warnings_and_remarks_above_it():
    stream = Counting()
    with view_on(stream) as view:
        view.note("starting\x1b]0;owned\x07")
        for event in EVENTS:
            view.event(event)
        view.ended(run_result())
    text = stream.getvalue()
    assert "ai3: starting␛]0;owned␇" in text
    assert text.index("warning: a provider is out") < text.rindex(f"{RUN}  partial")
    assert "End␛[2J" in text
    assert text.endswith("\n\x1b[?25h")


def test_a_run_that_never_began_leaves_no_trace():
    stream = Counting()
    with view_on(stream):
        pass
    assert stream.getvalue().endswith("\r\x1b[K\x1b[J\x1b[?25h")
