"""A run's events in words."""

import typing

from ai3ray.domain import events
from cli.render.event_lines import EventLines, event_text
from tests.cli.recorded import DELTA, EVENTS, RUN


def told():
    lines = EventLines()
    return [lines.line(event) for event in EVENTS]


def test_every_event_is_one_line_with_its_time_name_and_task():
    lines = told()
    assert all("\n" not in line and "\x1b" not in line for line in lines)
    for event, line in zip(EVENTS, lines, strict=True):
        assert line.split()[1] == event.type
    assert lines[0].split()[0] == "0.00s"
    assert lines[4].startswith("   1.00s  task_start      a (Write the intro)  sim/fast")


def test_a_line_says_what_its_event_says():
    lines = dict(zip((f"{event.type}{event.task_id or ''}" for event in EVENTS), told(), strict=True))
    assert lines["run_start"].endswith(f"{RUN} Write something")
    assert lines["plan"].endswith("3 tasks from model, assembly concat")
    assert lines["decisiona"].endswith("task: sim/fast (0.90), before sim/slow (0.50), 1 excluded")
    assert lines["task_verifieda"].endswith("did not pass, score 0.25 by sim/judge; answer: misses the end")
    assert lines["task_repaireda"].endswith("repair 1; answer: misses the end")
    assert lines["task_artifacta"].endswith("sim/fast, 1,000 + 20 tokens, $0.002000")
    assert lines["task_retryb"].endswith(
        "overloaded: try later [sim/slow] (request req_7); again after 1.50 s on sim/fast"
    )
    assert lines["task_skippedc"].endswith("c (End␛[2J)  b has no answer")
    assert lines["assemble_start"].endswith("concat, without b, c")
    assert lines["final"].endswith("partial, 9 characters")
    assert lines["stats"].endswith("3 tasks, 5 calls, 1,200 + 3,400 tokens, $0.0123, 12.3 s")
    assert lines["warning"].endswith("a provider is out [provider_out]")


def test_a_delta_is_no_line():
    assert EventLines().line(DELTA) is None


def test_no_event_type_is_without_words():
    members = typing.get_args(typing.get_args(events.AnyEvent)[0])
    types = {name for member in members for name in typing.get_args(member.model_fields["type"].annotation)}
    deltas = set(typing.get_args(events.TextDelta.model_fields["type"].annotation))
    spoken = {event.type for event in EVENTS} | {"error", "cancelled"}
    assert types - deltas == spoken
    assert event_text(events.Cancelled(by="user")) == "by user"
    refused = events.RunFailed(error=events.ErrorInfo(type="key_refused", message="no", provider="sim"))
    assert event_text(refused) == "key_refused: no [sim]"
