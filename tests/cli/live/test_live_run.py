"""What the live view knows of a run after each of its events."""

from ai3ray.domain.events import Decision, TaskRetry, TaskStart
from ai3ray.domain.run import fold
from cli.live.live_run import LiveRun
from tests.cli.recorded import DELTA, EVENTS, OVERLOADED, RUN, at, run_result, task

LATER = "2026-11-23T10:01:00.000Z"


def after(count):
    """The view after so many of the recorded events."""
    run = LiveRun()
    for event in EVENTS[:count]:
        run.event(event)
    return run


def notes(run):
    return {line.id: line.note for line in run.lines(LATER)}


def test_it_is_the_journals_fold_after_every_prefix():
    for count in range(1, len(EVENTS) + 1):
        assert after(count).state == fold(EVENTS[:count])


def test_a_piece_of_an_answer_and_an_event_out_of_order_change_nothing():
    run = after(5)
    before = run.state
    run.event(DELTA)
    run.event(EVENTS[0])
    assert run.state == before


def test_a_note_tells_what_a_task_waits_for_and_how_it_went():
    assert notes(after(3)) == {"a": "waits", "b": "after a", "c": "after b"}
    assert notes(after(7))["a"] == "repair 1"
    assert notes(after(8)) == {"a": "pass 0.25", "b": "waits", "c": "after b"}
    assert notes(after(10))["b"] == "retry: overloaded"
    assert notes(after(len(EVENTS))) == {"a": "pass 0.25", "b": "overloaded", "c": "needs b"}


def test_another_try_and_a_judge_are_said():
    run = after(5)
    run.event(at(Decision(task_id="a", attempt_id="j", role="judge", model="s/j", provider="s", candidates=()), 6, 2))
    assert notes(run)["a"] == "judging"
    run.event(at(TaskRetry(task_id="a", error=OVERLOADED, wait_s=0, next_model=None), 7, 2))
    run.event(at(TaskStart(task_id="a", attempt_id="att_9", model="sim/slow"), 8, 2))
    run.event(at(EVENTS[7], 9, 3))
    assert notes(run)["a"] == "try 2"


def test_figures_are_what_is_known_so_far_and_then_the_runs_own():
    line = after(8).lines(LATER)[0]
    assert (line.model, line.tokens, line.cost_usd, line.seconds) == ("fast", 1020, 0.002, 0.75)
    running = after(9).lines("2026-11-23T10:00:12.000Z")[1]
    assert (running.status, running.seconds) == ("running", 10.0)
    so_far = after(9).totals("2026-11-23T10:00:12.000Z")
    assert (so_far.tasks, so_far.ended, so_far.cost_usd, so_far.seconds) == (3, 1, 0.002, 12.0)
    run = after(len(EVENTS))
    run.ended(run_result())
    end = run.totals(LATER)
    assert (end.ended, end.lost, end.cost_usd, end.seconds) == (3, 2, 0.0123, 12.34)
    assert run.state.run_id == RUN


def test_the_runs_end_counts_although_its_last_events_did_not_come():
    """After Ctrl-C nobody listens to the events any more; the cancelled run is shown all the same."""
    run = after(9)
    tasks = (
        task("a", "succeeded"),
        task("b", "cancelled", seconds=0.4),
        task("c", "cancelled", attempts=0, seconds=None),
    )
    run.ended(run_result("cancelled", None, tasks=tasks))
    assert run.status == "cancelled"
    assert [line.status for line in run.lines(LATER)] == ["succeeded", "cancelled", "cancelled"]
    assert [line.cost_usd for line in run.lines(LATER)] == [0.002, 0.002, None]
    assert [line.seconds for line in run.lines(LATER)] == [1.5, 0.4, None]
    assert run.totals(LATER).ended == 3
