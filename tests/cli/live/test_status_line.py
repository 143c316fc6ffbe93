"""The line beside the spinner."""

from cli.live.status_line import StatusLine
from tests.cli.recorded import EVENTS


def test_the_line_tells_how_far_the_run_is():
    line = StatusLine()
    told = [line.after(event) for event in EVENTS]
    assert told[0] == "accepted"
    assert told[1] == "planning"
    assert told[2] == "0 of 3 tasks done"
    assert told[4] == "0 of 3 tasks done: a on sim/fast"
    assert told[8] == "1 of 3 tasks done: b on sim/slow"
    assert told[11] == "3 of 3 tasks done"
    assert told[13] == "assembling the answer"
