"""The state machine of a run: what it takes, what it refuses, and that refusing changes nothing."""

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ai3ray.domain.call import Attempt, ErrorInfo, Usage
from ai3ray.domain.events import (
    AnyEvent,
    AssembleStart,
    Cancelled,
    Decision,
    Event,
    Final,
    PlanProgress,
    RunFailed,
    RunStart,
    Stats,
    StatsEvent,
    TaskArtifact,
    TaskFailed,
    TaskRepaired,
    TaskRetry,
    TaskSkipped,
    TaskStart,
    TaskVerified,
    TextDelta,
    Warned,
    parse_event,
)
from ai3ray.domain.result import run_result
from ai3ray.domain.run import (
    RUN_TABLE,
    TASK_TABLE,
    TASK_TERMINAL,
    TERMINAL,
    RunState,
    advance,
    apply,
    fold,
)
from ai3ray.domain.verdict import Verdict
from ai3ray.errors import IllegalTransition

PLAN = {
    "tasks": [
        {"id": "a", "title": "A", "prompt": "do a"},
        {"id": "b", "title": "B", "prompt": "do b", "depends_on": ["a"]},
    ],
    "assembly": "last",
}
OOPS = ErrorInfo(type="server_fault", message="oops")
FIGURES = Stats(
    cost_usd=0,
    cost_complete=True,
    input_tokens=0,
    output_tokens=0,
    calls=0,
    tasks=2,
    seconds=1,
    critical_path_seconds=1,
)

run_events: list[Event] = [
    RunStart(request={"prompt": "x"}),
    PlanProgress(phase="started"),
    PlanProgress(phase="task", task=PLAN["tasks"][0]),
    PlanProgress(phase="completed", plan=PLAN, source="model"),
    Decision(attempt_id="at1", role="task", model="p/m", provider="p", candidates=()),
    AssembleStart(assembly="last", holes=()),
    Final(status="succeeded", output="done"),
    Final(status="partial", output="half"),
    RunFailed(error=OOPS),
    Cancelled(by="user"),
    StatsEvent.of(FIGURES),
    Warned(message="careful", code="test"),
]
task_events: list[Event] = [
    event
    for task in ("a", "b", "nobody", None)
    for event in (
        TaskStart(task_id=task, attempt_id="at1", model="p/m"),
        TaskRetry(task_id=task, error=OOPS, wait_s=1, next_model=None),
        TaskArtifact(task_id=task, artifact="sha256:0", text="t", model="p/m", usage=Usage(), cost_usd=0.1),
        TaskVerified(task_id=task, verdict=Verdict(passed=True, score=1)),
        TaskRepaired(task_id=task, defects=(), attempt=1),
        TaskFailed(task_id=task, error=OOPS),
        TaskSkipped(task_id=task, because="a"),
    )
]
drafts = st.sampled_from(run_events + task_events)


def stamped(event: Event, seq: int) -> Event:
    ts = f"2026-01-01T00:00:{seq % 60:02d}.000Z"
    return event.model_copy(update={"run_id": "run_1", "seq": seq, "ts": ts})


def legal(requests: list[Event]) -> tuple[list[Event], list[RunState]]:
    """The history that results when refused events are left out, and the state after each event."""
    history: list[Event] = []
    states = [RunState()]
    for request in requests:
        event = stamped(request, len(history) + 1)
        try:
            states.append(apply(states[-1], event))
        except IllegalTransition:
            continue
        history.append(event)
    return history, states


histories = st.lists(drafts, max_size=40).map(lambda requests: [run_events[0], run_events[3], *requests])


@settings(max_examples=200)
@given(st.lists(drafts, max_size=30) | histories)
def test_folding_any_prefix_gives_the_live_state(requests):
    history, states = legal(requests)
    for length, live in enumerate(states):
        assert fold(history[:length]) == live


@settings(max_examples=200)
@given(histories)
def test_folding_is_deterministic_and_survives_the_wire(requests):
    history, states = legal(requests)
    assert fold(history) == fold(list(history))
    assert fold([parse_event(event.line()) for event in history]) == states[-1]


class Run(RuleBasedStateMachine):
    """Any event at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.state = RunState()
        self.ended: str | None = None
        self.artifacts: list[str | None] = []

    @rule()
    @precondition(lambda self: self.state.status in {"new", "queued", "planning"})
    def go_on(self) -> None:
        self.apply(run_events[3] if self.state.run_id else run_events[0])

    @rule(draft=drafts)
    def apply(self, draft: Event) -> None:
        before = self.state.model_copy(deep=True)
        event = stamped(draft, before.seq + 1)
        try:
            after = apply(self.state, event)
        except IllegalTransition:
            assert self.state == before, "a refused event changed something"
            return
        assert self.state == before, "the old state was changed in place"
        assert draft.type in RUN_TABLE[before.status]
        if draft.type == "task_artifact":
            self.artifacts.append(draft.task_id)
        if before.terminal:
            assert draft.type == "stats"
        for task_id, task in before.tasks.items():
            if task.status == "succeeded" or before.terminal:
                assert after.tasks[task_id] == task, "what is committed, or a run that has ended, changed"
        self.state = after
        if self.ended is None and after.terminal:
            self.ended = after.status

    @invariant()
    def a_terminal_status_is_final(self) -> None:
        assert self.ended is None or self.state.status == self.ended

    @invariant()
    def a_task_has_at_most_one_artifact(self) -> None:
        assert len(self.artifacts) == len(set(self.artifacts))

    @invariant()
    def an_ended_run_leaves_no_task_open(self) -> None:
        if self.state.terminal:
            assert self.state.finished_at
            assert all(task.status in TASK_TERMINAL for task in self.state.tasks.values())

    @invariant()
    def the_last_event_comes_once_and_last(self) -> None:
        assert not self.state.complete or self.state.terminal

    @invariant()
    def it_can_be_shown(self) -> None:
        if self.state.run_id:
            assert run_result(self.state).status == self.state.status


TestRun = Run.TestCase
TestRun.settings = settings(max_examples=60, stateful_step_count=40)


def test_a_task_with_a_committed_answer_takes_nothing_more():
    _, states = legal([run_events[0], run_events[3], task_events[0], task_events[2]])
    assert states[-1].tasks["a"].status == "succeeded"
    assert states[-1].tasks["a"].finished_at
    for draft in task_events[:7]:
        with pytest.raises(IllegalTransition, match="'a'"):
            apply(states[-1], stamped(draft, states[-1].seq + 1))


@pytest.mark.parametrize(("ending", "status"), [([0, 5], "failed"), ([5], "failed"), ([6], "skipped")])
def test_a_task_without_an_answer_may_be_tried_again_by_whoever_resumes_the_run(ending, status):
    _, states = legal([run_events[0], run_events[3], *(task_events[place] for place in ending)])
    assert states[-1].tasks["a"].status == status
    again = apply(states[-1], stamped(task_events[0], states[-1].seq + 1)).tasks["a"]
    assert (again.status, again.error, again.finished_at) == ("running", None, None)
    with pytest.raises(IllegalTransition, match="'a'"):
        apply(states[-1], stamped(task_events[2], states[-1].seq + 1))  # an answer comes only after a new start


@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_a_terminal_run_takes_its_stats_once_and_nothing_else(status):
    ending = {
        "succeeded": [AssembleStart(assembly="last", holes=()), Final(status="succeeded", output="o")],
        "partial": [AssembleStart(assembly="last", holes=()), Final(status="partial", output="o")],
        "failed": [RunFailed(error=OOPS)],
        "cancelled": [Cancelled(by="user")],
    }[status]
    _, states = legal([run_events[0], run_events[3], *ending])
    ended = states[-1]
    assert ended.status == status
    for draft in run_events + task_events:
        if draft.type != "stats":
            with pytest.raises(IllegalTransition):
                apply(ended, stamped(draft, ended.seq + 1))
    complete = apply(ended, stamped(StatsEvent.of(FIGURES), ended.seq + 1))
    assert complete.complete
    with pytest.raises(IllegalTransition):
        apply(complete, stamped(StatsEvent.of(FIGURES), complete.seq + 1))


def test_every_event_of_the_contract_has_a_place_in_the_tables():
    taken = set().union(*RUN_TABLE.values())
    types: set[str] = set()
    for event in get_args(get_args(AnyEvent)[0]):
        types |= set(get_args(event.model_fields["type"].annotation)) if event is not TextDelta else set()
    assert types == taken
    assert {event for _, event in TASK_TABLE} <= taken


def test_a_completed_plan_without_a_graph_is_refused():
    _, states = legal([run_events[0]])
    with pytest.raises(IllegalTransition):
        apply(states[-1], stamped(PlanProgress(phase="completed"), 2))


def test_an_event_for_a_task_that_is_not_in_the_plan_is_refused():
    _, states = legal([run_events[0], run_events[3]])
    with pytest.raises(IllegalTransition, match="nobody"):
        apply(states[-1], stamped(TaskStart(task_id="nobody", attempt_id="x", model="p/m"), 3))


def test_a_task_that_was_never_started_cannot_have_an_artifact():
    history, _ = legal([run_events[0], run_events[3], task_events[2]])
    assert [event.type for event in history] == ["run_start", "plan"]


def test_calls_may_end_after_the_run_did():
    _, states = legal([run_events[0], run_events[8]])
    call = Attempt(run_id="run_1", attempt_id="at1", role="plan", n=1, provider="p", model="p/m", status="started")
    state = advance(states[-1], (), [call])
    state = advance(state, (), [call.model_copy(update={"status": "lost"})])
    assert [attempt.status for attempt in state.attempts.values()] == ["lost"]
    assert state.status == "failed"
