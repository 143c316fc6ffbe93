"""The events of a run: together, its whole history."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from ai3ray.domain.assembly import Assembly
from ai3ray.domain.call import ErrorInfo, Role, Usage
from ai3ray.domain.frozen import Frozen
from ai3ray.domain.verdict import Defect, Verdict

Purpose = Literal["run", "plan"]
PlanSource = Literal["model", "file", "template", "fallback"]
FinalStatus = Literal["succeeded", "partial", "failed"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One model in a routing decision, with every term of its score.

    Validated only when it is read.
    """

    __pydantic_config__ = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    model: str
    """`provider/model`."""
    score: float
    """Sum of the weighted terms; the highest admissible one wins."""
    terms: dict[str, float]
    excluded: Annotated[str | None, Field(exclude_if=lambda value: value is None)] = None
    """The reason why it could not be chosen."""


class Stats(Frozen):
    """Statistics of a run."""

    cost_usd: float
    """Known costs of all model calls, in US dollars."""
    cost_complete: bool
    """False when the price of a call was unknown."""
    input_tokens: int
    output_tokens: int
    calls: int
    tasks: int
    seconds: float
    """Seconds from acceptance to the terminal event."""
    critical_path_seconds: float
    """Seconds of the longest chain of dependent tasks."""
    judge_cost_usd: float = 0.0
    """Part of `cost_usd` that judging took."""


class Event(Frozen):
    """The envelope of all events. The journal stamps `run_id`, `seq` and `ts`; a draft has seq 0."""

    journaled: ClassVar[bool] = True

    v: Literal[1] = 1
    run_id: str = ""
    seq: int = 0
    """Position in the run's history, from 1, without gaps."""
    ts: str = ""
    """UTC, ISO 8601 with milliseconds."""
    type: str
    """Type of the event."""
    task_id: str | None = Field(default=None, exclude_if=lambda value: value is None)
    """The task, if the event belongs to one."""

    def line(self) -> str:
        """Return the envelope as one line of JSON, for the journal and SSE."""
        return self.model_dump_json()


class RunStart(Event):
    """The run was accepted."""

    type: Literal["run_start"] = "run_start"
    request: dict[str, Any]
    """The request as accepted, defaults filled in."""
    purpose: Purpose = Field(default="run", exclude_if=lambda value: value == "run")
    """`plan` when only a plan was asked for: its output is the plan, no task runs."""


class PlanProgress(Event):
    """Planning started, delivered a task, or completed."""

    type: Literal["plan"] = "plan"
    phase: Literal["started", "task", "completed"]
    task: dict[str, Any] | None = Field(default=None, exclude_if=lambda value: value is None)
    """The ready task, in phase `task`."""
    plan: dict[str, Any] | None = Field(default=None, exclude_if=lambda value: value is None)
    """The whole graph, in phase `completed`."""
    source: PlanSource | None = Field(default=None, exclude_if=lambda value: value is None)


class Decision(Event):
    """The router chose a model; journaled before the call is sent."""

    type: Literal["decision"] = "decision"
    attempt_id: str
    role: Role
    model: str
    provider: str
    candidates: tuple[Candidate, ...]
    """All models considered, best first."""
    reserved_usd: float | None = Field(default=None, exclude_if=lambda value: value is None)
    """The most that the call can cost; counts as spent while the bill is unknown."""


class TaskStart(Event):
    """An attempt at a task begins."""

    type: Literal["task_start"] = "task_start"
    attempt_id: str
    model: str


class TaskRetry(Event):
    """An attempt failed and the task goes on."""

    type: Literal["task_retry"] = "task_retry"
    error: ErrorInfo
    wait_s: float
    """Seconds until the next attempt."""
    next_model: str | None
    """The next model, when known."""


class TaskArtifact(Event):
    """The task's answer was committed; at most once per task."""

    type: Literal["task_artifact"] = "task_artifact"
    artifact: str
    """Content address: `sha256:` and the hash of the text."""
    text: str
    model: str
    usage: Usage
    """Of the call that produced it."""
    cost_usd: float | None
    """Of the call that produced it; null when the price is unknown."""


class TaskVerified(Event):
    """An answer was checked."""

    type: Literal["task_verified"] = "task_verified"
    verdict: Verdict | None


class TaskRepaired(Event):
    """An answer went back to its author with its defects."""

    type: Literal["task_repaired"] = "task_repaired"
    defects: tuple[Defect, ...]
    attempt: int
    """Number of the repair, from 1."""


class TaskFailed(Event):
    """No model gave an answer that could be committed."""

    type: Literal["task_failed"] = "task_failed"
    error: ErrorInfo


class TaskSkipped(Event):
    """The task was not attempted, because a dependency has no answer."""

    type: Literal["task_skipped"] = "task_skipped"
    because: str
    """Id of that dependency."""


class AssembleStart(Event):
    """Assembling the outputs into one answer began."""

    type: Literal["assemble_start"] = "assemble_start"
    assembly: Assembly
    holes: tuple[str, ...]
    """Ids of the tasks whose output is missing."""


class Final(Event):
    """The run ended with an answer, or a partial one."""

    type: Literal["final"] = "final"
    status: FinalStatus
    output: str


class RunFailed(Event):
    """The run ended without an answer, or with a partial one because its budget was spent."""

    type: Literal["error"] = "error"
    error: ErrorInfo
    output: str | None = Field(default=None, exclude_if=lambda value: value is None)
    """The partial answer, when money ran out."""


class Cancelled(Event):
    """The run was cancelled."""

    type: Literal["cancelled"] = "cancelled"
    by: str
    """`user`, `deadline` or `shutdown`."""


class StatsEvent(Stats, Event):
    """The statistics of the run, both flat and under `stats`; always the last event."""

    type: Literal["stats"] = "stats"
    stats: Stats
    """The statistics as in the run's JSON."""

    @classmethod
    def of(cls, stats: Stats) -> StatsEvent:
        """Return the event of these statistics."""
        return cls(stats=stats, **stats.model_dump())


class Warned(Event):
    """A warning; the run continues."""

    type: Literal["warning"] = "warning"
    message: str
    code: str
    """A stable code for programs, such as `fallback_plan`."""


class TextDelta(Event):
    """A piece of an answer that is being written; never journaled."""

    journaled: ClassVar[bool] = False

    type: Literal["task_delta", "assemble_delta"]
    text: str

    def line(self) -> str:
        """Return the envelope without `seq`, which only journaled events have."""
        return json.dumps(self.model_dump(exclude={"seq"}), ensure_ascii=False, separators=(",", ":"))


AnyEvent = Annotated[
    RunStart
    | PlanProgress
    | Decision
    | TaskStart
    | TaskRetry
    | TaskArtifact
    | TaskVerified
    | TaskRepaired
    | TaskFailed
    | TaskSkipped
    | AssembleStart
    | Final
    | RunFailed
    | Cancelled
    | StatsEvent
    | Warned
    | TextDelta,
    Field(discriminator="type"),
]

_ADAPTER: TypeAdapter[Event] = TypeAdapter(AnyEvent)


def parse_event(line: str | bytes) -> Event:
    """Parse one line of JSON; raise pydantic.ValidationError if it is not an event."""
    return _ADAPTER.validate_json(line)


def event_type(line: str) -> str:
    """Return the type in an event's line, without parsing the rest: `line()` fixes the order."""
    start = line.index('"type":"') + len('"type":"')
    return line[start : line.index('"', start)]


def utc_now() -> str:
    """Return the wall clock as UTC ISO 8601 with milliseconds; not for measuring."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
