"""A recorded run: two tasks, one repaired, one lost, with everything an event can say."""

from ai3ray.domain.call import ErrorInfo, Usage
from ai3ray.domain.events import (
    AssembleStart,
    Candidate,
    Decision,
    Final,
    PlanProgress,
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
)
from ai3ray.domain.result import RunResult, TaskResult
from ai3ray.domain.verdict import Defect, Verdict

RUN = "run_01kb0000000000000000000a"
PLAN = {
    "tasks": [
        {"id": "a", "title": "Write the intro", "prompt": "Intro"},
        {"id": "b", "title": "b", "prompt": "Body", "depends_on": ["a"]},
        {"id": "c", "title": "End\x1b[2J", "prompt": "End", "depends_on": ["b"]},
    ],
    "assembly": "concat",
}
STATS = Stats(
    cost_usd=0.0123,
    cost_complete=True,
    input_tokens=1200,
    output_tokens=3400,
    calls=5,
    tasks=3,
    seconds=12.34,
    critical_path_seconds=10.0,
)
OVERLOADED = ErrorInfo(type="overloaded", message="try later", model="sim/slow", request_id="req_7")
DEFECT = Defect(part="answer", problem="misses the\nend")
VERDICT = Verdict(passed=False, score=0.25, defects=(DEFECT,), by="sim/judge")


def at(event, seq, second):
    return event.model_copy(update={"run_id": RUN, "seq": seq, "ts": f"2026-11-23T10:00:{second:06.3f}Z"})


EVENTS = tuple(
    at(event, seq, 0.25 * (seq - 1))
    for seq, event in enumerate(
        (
            RunStart(request={"prompt": "Write\nsomething"}),
            PlanProgress(phase="started"),
            PlanProgress(phase="completed", plan=PLAN, source="model"),
            Decision(
                task_id="a",
                attempt_id="att_1",
                role="task",
                model="sim/fast",
                provider="sim",
                candidates=(
                    Candidate(model="sim/fast", score=0.9, terms={"quality": 0.7, "cost": 0.2}),
                    Candidate(model="sim/slow", score=0.5, terms={"quality": 0.6, "cost": -0.1}),
                    Candidate(model="sim/old", score=0.0, terms={}, excluded="retired"),
                ),
            ),
            TaskStart(task_id="a", attempt_id="att_1", model="sim/fast"),
            TaskVerified(task_id="a", verdict=VERDICT),
            TaskRepaired(task_id="a", defects=(DEFECT,), attempt=1),
            TaskArtifact(
                task_id="a",
                artifact="sha256:0",
                text="the intro",
                model="sim/fast",
                usage=Usage(input_tokens=1000, output_tokens=20),
                cost_usd=0.002,
            ),
            TaskStart(task_id="b", attempt_id="att_2", model="sim/slow"),
            TaskRetry(task_id="b", error=OVERLOADED, wait_s=1.5, next_model="sim/fast"),
            TaskFailed(task_id="b", error=OVERLOADED),
            TaskSkipped(task_id="c", because="b"),
            Warned(message="a provider is out", code="provider_out"),
            AssembleStart(assembly="concat", holes=("b", "c")),
            Final(status="partial", output="the intro"),
            StatsEvent.of(STATS),
        ),
        start=1,
    )
)
DELTA = TextDelta(type="task_delta", task_id="a", text="the", run_id=RUN)


def task(task_id, status, **more):
    fields = {
        "id": task_id,
        "title": task_id,
        "kind": "writing",
        "status": status,
        "provider": "sim",
        "model": "sim/fast",
        "attempts": 1,
        "depends_on": (),
        "output": None,
        "cost_usd": 0.002,
        "seconds": 1.5,
        "verdict": None,
    }
    return TaskResult(**(fields | more))


def run_result(status="partial", output="the intro", **more):
    tasks = (
        task("a", "succeeded", title="Write the intro", output="the intro", verdict=VERDICT),
        task("b", "failed", error=OVERLOADED),
        task("c", "skipped", model=None, provider=None, attempts=0, cost_usd=None, seconds=None),
    )
    fields = {"run_id": RUN, "status": status, "prompt": "Write something", "output": output, "tasks": tasks}
    return RunResult(**(fields | {"stats": STATS, "warnings": ("a provider is out",)} | more))
