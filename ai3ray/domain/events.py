"""The events of a run. Each is a frozen model; together they are the run's whole history."""

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

    Each decision has one for every model: it is made by those who know what they put into it, and checked
    only when it is read.
    """

    __pydantic_config__ = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    model: str
    """`provider/model`."""
    score: float
    """The sum of the weighted terms; the highest admissible one is taken."""
    terms: dict[str, float]
    """Each weighted term by name."""
    excluded: Annotated[str | None, Field(exclude_if=lambda value: value is None)] = None
    """Why it was no candidate."""


class Stats(Frozen):
    """A run in figures."""

    cost_usd: float
    """Sum of the known costs of all model calls, in US dollars."""
    cost_complete: bool
    """False when the price of a call was unknown."""
    input_tokens: int
    """Input tokens of all calls."""
    output_tokens: int
    """Output tokens of all calls."""
    calls: int
    """Model calls made."""
    tasks: int
    """Tasks in the plan."""
    seconds: float
    """From acceptance to the terminal event."""
    critical_path_seconds: float
    """The longest chain of dependent tasks."""
    judge_cost_usd: float = 0.0
    """The part of `cost_usd` that judging took."""


class Event(Frozen):
    """The envelope. `run_id`, `seq` and `ts` are stamped by the journal; a draft has seq 0."""

    journaled: ClassVar[bool] = True

    v: Literal[1] = 1
    """Version of the envelope."""
    run_id: str = ""
    """The run."""
    seq: int = 0
    """Place in the run's history, from 1, without gaps."""
    ts: str = ""
    """UTC, ISO 8601 with milliseconds."""
    type: str
    """Which event it is."""
    task_id: str | None = Field(default=None, exclude_if=lambda value: value is None)
    """The task it is about."""

    def line(self) -> str:
        """The envelope as one line of JSON: what the journal keeps and SSE sends."""
        return self.model_dump_json()


class RunStart(Event):
    """The run was accepted."""

    type: Literal["run_start"] = "run_start"
    request: dict[str, Any]
    """The request as accepted, defaults filled in."""
    purpose: Purpose = Field(default="run", exclude_if=lambda value: value == "run")
    """`plan` when only a plan was asked for: its output is the plan, no task runs."""


class PlanProgress(Event):
    """Planning began, handed on a task, or ended."""

    type: Literal["plan"] = "plan"
    phase: Literal["started", "task", "completed"]
    """How far planning is."""
    task: dict[str, Any] | None = Field(default=None, exclude_if=lambda value: value is None)
    """With phase `task`: the task that is ready."""
    plan: dict[str, Any] | None = Field(default=None, exclude_if=lambda value: value is None)
    """With phase `completed`: the whole graph."""
    source: PlanSource | None = Field(default=None, exclude_if=lambda value: value is None)
    """With phase `completed`: where the graph came from."""


class Decision(Event):
    """The router chose a model; journaled before the call is sent."""

    type: Literal["decision"] = "decision"
    attempt_id: str
    """The attempt it leads to."""
    role: Role
    """What the call is for."""
    model: str
    """The chosen `provider/model`."""
    provider: str
    """Its provider."""
    candidates: tuple[Candidate, ...]
    """All models that were considered, best first."""
    reserved_usd: float | None = Field(default=None, exclude_if=lambda value: value is None)
    """The most that the call can cost: what it counts with when its bill stays unknown."""


class TaskStart(Event):
    """An attempt at a task begins."""

    type: Literal["task_start"] = "task_start"
    attempt_id: str
    """The attempt."""
    model: str
    """The model that works on it."""


class TaskRetry(Event):
    """An attempt failed and the task goes on."""

    type: Literal["task_retry"] = "task_retry"
    error: ErrorInfo
    """Why the attempt failed."""
    wait_s: float
    """Seconds until the next one."""
    next_model: str | None
    """The model that is next, when already known."""


class TaskArtifact(Event):
    """The task's answer is committed; at most once per task."""

    type: Literal["task_artifact"] = "task_artifact"
    artifact: str
    """Content address: `sha256:` and the hash of the text."""
    text: str
    """The answer."""
    model: str
    """Its author."""
    usage: Usage
    """Tokens of the call that made it."""
    cost_usd: float | None
    """Cost of the call that made it; null when the price is unknown."""


class TaskVerified(Event):
    """An answer was checked."""

    type: Literal["task_verified"] = "task_verified"
    verdict: Verdict | None
    """What the check said."""


class TaskRepaired(Event):
    """An answer went back to its author with its defects."""

    type: Literal["task_repaired"] = "task_repaired"
    defects: tuple[Defect, ...]
    """What was wrong."""
    attempt: int
    """Which repair it is, from 1."""


class TaskFailed(Event):
    """No model gave an answer that could be committed."""

    type: Literal["task_failed"] = "task_failed"
    error: ErrorInfo
    """The last reason."""


class TaskSkipped(Event):
    """The task was not tried, because one it depends on has no answer."""

    type: Literal["task_skipped"] = "task_skipped"
    because: str
    """The id of that task."""


class AssembleStart(Event):
    """The outputs are being made into one answer."""

    type: Literal["assemble_start"] = "assemble_start"
    assembly: Assembly
    """How."""
    holes: tuple[str, ...]
    """Ids of the tasks whose output is missing."""


class Final(Event):
    """The run has ended with what it has."""

    type: Literal["final"] = "final"
    status: FinalStatus
    """How it ended."""
    output: str
    """The answer."""


class RunFailed(Event):
    """The run ended without an answer, or with a part of one when its budget was spent."""

    type: Literal["error"] = "error"
    error: ErrorInfo
    """Why."""
    output: str | None = Field(default=None, exclude_if=lambda value: value is None)
    """What there is of the answer, when money ran out before all of it was there."""


class Cancelled(Event):
    """The run was cancelled."""

    type: Literal["cancelled"] = "cancelled"
    by: str
    """Who cancelled it: `user`, `deadline`, `shutdown`."""


class StatsEvent(Stats, Event):
    """The run in figures; always the last event. The figures stand both flat and under `stats`."""

    type: Literal["stats"] = "stats"
    stats: Stats
    """The figures once more, as the run's JSON has them."""

    @classmethod
    def of(cls, stats: Stats) -> StatsEvent:
        """The event of these figures."""
        return cls(stats=stats, **stats.model_dump())


class Warned(Event):
    """Something the reader should know; the run goes on."""

    type: Literal["warning"] = "warning"
    message: str
    """One line."""
    code: str
    """A stable word for programs, such as `fallback_plan`."""


class TextDelta(Event):
    """A piece of an answer while it is written; never journaled."""

    journaled: ClassVar[bool] = False

    type: Literal["task_delta", "assemble_delta"]
    text: str
    """The piece."""

    def line(self) -> str:
        """The envelope without the `seq` that only journaled events have."""
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
    """The event of one line of JSON; raises pydantic.ValidationError."""
    return _ADAPTER.validate_json(line)


def event_type(line: str) -> str:
    """The type in an event's line, without parsing the rest; `line()` writes the envelope in a fixed order."""
    start = line.index('"type":"') + len('"type":"')
    return line[start : line.index('"', start)]


def utc_now() -> str:
    """The wall clock as UTC ISO 8601 with milliseconds: a label, never a measure."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
