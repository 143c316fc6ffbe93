"""Histories of runs for the journal's tests: whole ones, and random steps of which some are illegal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hypothesis import strategies as st

from ai3ray.domain.artifact import artifact_id
from ai3ray.domain.call import Attempt, ErrorInfo, Usage
from ai3ray.domain.events import (
    AssembleStart,
    Cancelled,
    Candidate,
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
    Warned,
)
from ai3ray.domain.verdict import Defect, Verdict

MODEL = "acme/large"
NO_STATS = Stats(
    cost_usd=0,
    cost_complete=True,
    input_tokens=0,
    output_tokens=0,
    calls=0,
    tasks=0,
    seconds=0,
    critical_path_seconds=0,
)
ENDED = StatsEvent.of(NO_STATS)
OOPS = ErrorInfo(type="timeout", message="too slow")


class Step(NamedTuple):
    """What one put brings."""

    events: tuple[Event, ...] = ()
    attempts: tuple[Attempt, ...] = ()


def started(prompt: str = "say hello") -> RunStart:
    return RunStart(request={"prompt": prompt, "class": "batch"})


def planned(task_ids: Sequence[str]) -> PlanProgress:
    tasks = [
        {"id": task_id, "title": f"Task {task_id}", "prompt": "do it", "kind": "writing", "output": "markdown"}
        for task_id in task_ids
    ]
    return PlanProgress(phase="completed", plan={"tasks": tasks, "assembly": "concat"}, source="model")


def attempt(run_id: str, task_id: str | None, attempt_id: str, status: str = "succeeded", **fields: object) -> Attempt:
    values: dict[str, object] = {
        "provider": "acme",
        "model": MODEL,
        "role": "task",
        "n": 1,
        "started_at": "2026-11-22T10:00:00.500Z",
    }
    if status == "succeeded":
        values |= {"input_tokens": 100, "output_tokens": 20, "cost_usd": 0.25, "seconds": 1.5, "first_token_s": 0.25}
    values |= fields
    return Attempt(run_id=run_id, task_id=task_id, attempt_id=attempt_id, status=status, **values)


def decided(task_id: str | None, attempt_id: str) -> Decision:
    seen = (
        Candidate(model=MODEL, score=0.75, terms={"quality": 0.5, "cost": 0.25}),
        Candidate(model="acme/small", score=0.0, terms={}, excluded="context"),
    )
    return Decision(task_id=task_id, attempt_id=attempt_id, role="task", model=MODEL, provider="acme", candidates=seen)


def answered(task_id: str, text: str) -> TaskArtifact:
    return TaskArtifact(
        task_id=task_id,
        artifact=artifact_id(text),
        text=text,
        model=MODEL,
        usage=Usage(output_tokens=20),
        cost_usd=0.25,
    )


def task_steps(run_id: str, task_id: str) -> Iterator[Step]:
    """One task that is answered at once: five events, two entries of one attempt."""
    call = f"{run_id}.{task_id}.1"
    verdict = Verdict(passed=True, score=0.9, by="acme/judge")
    yield Step(
        (decided(task_id, call), TaskStart(task_id=task_id, attempt_id=call, model=MODEL)),
        (attempt(run_id, task_id, call, "started"),),
    )
    yield Step((), (attempt(run_id, task_id, call),))
    yield Step((TaskVerified(task_id=task_id, verdict=verdict), answered(task_id, f"answer of {task_id} ü\n")))


def whole_run(run_id: str, task_ids: Sequence[str] = ("a", "b")) -> Iterator[Step]:
    """A run that succeeds, from run_start to stats."""
    yield Step((started(),))
    yield Step((PlanProgress(phase="started"), planned(task_ids)))
    for task_id in task_ids:
        yield from task_steps(run_id, task_id)
    yield Step((AssembleStart(assembly="concat", holes=()),))
    yield Step((Final(status="succeeded", output="hello"), ENDED))


def steps(run_id: str) -> st.SearchStrategy[Step]:
    """Any step, legal or not, biased towards what leads on."""
    tasks = st.sampled_from(["a", "b", "nowhere"])
    texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    events = st.one_of(
        st.just(planned(("a", "b"))),
        st.just(PlanProgress(phase="started")),
        st.just(PlanProgress(phase="task", task={"id": "a", "prompt": "do it"})),
        st.builds(lambda task: TaskStart(task_id=task, attempt_id="x", model=MODEL), tasks),
        st.builds(answered, tasks, texts),
        st.builds(lambda task: decided(task, "x"), tasks),
        st.builds(lambda task: decided(task, "y").model_copy(update={"reserved_usd": 0.5}), tasks),
        st.builds(lambda task: TaskVerified(task_id=task, verdict=None), tasks),
        st.builds(lambda task: TaskFailed(task_id=task, error=OOPS), tasks),
        st.builds(lambda task: TaskSkipped(task_id=task, because="a"), tasks),
        st.builds(lambda task: TaskRetry(task_id=task, error=OOPS, wait_s=0.5, next_model=None), tasks),
        st.builds(
            lambda task: TaskVerified(
                task_id=task,
                verdict=Verdict(passed=False, score=0.25, defects=(Defect(part="answer", problem="short"),)),
            ),
            tasks,
        ),
        st.builds(lambda task: TaskRepaired(task_id=task, defects=(Defect(part="a", problem="b"),), attempt=1), tasks),
        st.builds(lambda text: Warned(message=text, code="test"), texts),
        st.just(AssembleStart(assembly="concat", holes=("b",))),
        st.builds(lambda text: Final(status="partial", output=text), texts),
        st.sampled_from([RunFailed(error=OOPS), RunFailed(error=OOPS, output="half"), ENDED, started("again")]),
        st.sampled_from([Cancelled(by="user"), Cancelled(by="deadline")]),
    )
    attempts = st.builds(
        lambda task, number, status, cost: attempt(run_id, task, f"{task}{number}", status, cost_usd=cost),
        st.sampled_from(["a", "b", None]),
        st.integers(1, 3),
        st.sampled_from(["started", "succeeded", "failed", "lost"]),
        st.none() | st.floats(0, 1),
    )
    return st.builds(
        lambda some, calls: Step(tuple(some), tuple(calls)),
        st.lists(events, max_size=2),
        st.lists(attempts, max_size=2),
    )
