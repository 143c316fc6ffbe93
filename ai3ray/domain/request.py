"""The request for a run: HTTP body, batch line, or Python call."""

from __future__ import annotations

from typing import Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ai3ray.domain.assembly import Assembly
from ai3ray.domain.frozen import Frozen, writable
from ai3ray.errors import RequestError, first_problem

RunClass = Literal["interactive", "batch"]
ModelT = TypeVar("ModelT", bound=BaseModel)

MAX_PROMPT_CHARS = 1_000_000


class ContextText(Frozen):
    """A text that tasks may read, such as a file."""

    name: str
    """Its name, such as a file name."""
    text: str = Field(max_length=1_000_000)
    """Its content."""


class RunRequest(Frozen):
    """Everything a caller may set for one run. Keys, base URLs and pool limits are not part of it."""

    model_config = ConfigDict(populate_by_name=True)

    prompt: str = Field(default="", max_length=MAX_PROMPT_CHARS)
    """The task; optional with `plan`."""
    context: tuple[ContextText, ...] = ()
    """Texts for the tasks that need them."""
    plan: dict[str, Any] | None = None
    """A task graph; the planner is skipped."""
    planner_model: str | None = None
    """The model that plans; the best configured planner when absent."""
    models: tuple[str, ...] = ()
    """The only models to call, for every role; all configured ones when empty."""
    max_concurrency: int | None = Field(default=None, ge=1, le=1000)
    """Tasks in flight at a time."""
    max_tasks: int | None = Field(default=None, ge=1, le=10_000)
    """The most tasks a plan may have."""
    assembly: Assembly | None = None
    """Overrides what the plan proposes."""
    budget_usd: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """The most the run may cost, in US dollars."""
    deadline_s: float | None = Field(default=None, gt=0)
    """Seconds after which the run stops."""
    verify: bool | None = None
    """False drops the judge and the content checks; complete and non-empty are always checked."""
    repair_limit: int | None = Field(default=None, ge=0, le=10)
    """Repairs of one answer at most."""
    run_class: RunClass = Field(default="interactive", alias="class")
    """`interactive` runs are served before `batch` ones."""
    metadata: dict[str, str] = Field(default_factory=dict)
    """The caller's labels."""

    @model_validator(mode="after")
    def _has_work(self) -> Self:
        if self.plan is None and not self.prompt.strip():
            raise ValueError("prompt: it is empty")
        if not writable(self):
            raise ValueError("prompt: it contains text that is not valid Unicode")
        return self


def parse_request(data: object) -> RunRequest:
    """Parse a request from decoded JSON.

    Raises:
        RequestError: the request is invalid; names the field in `param`.
    """
    return parse_object(RunRequest, data)


def parse_object(model: type[ModelT], data: object) -> ModelT:
    """Validate the fields of a request, decoded from JSON.

    Raises:
        RequestError: in one line, naming the field in `param`.
    """
    if not isinstance(data, dict):
        raise RequestError("the request is not a JSON object")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problem = first_problem(error)
        # A validator of the whole model names the field itself, as the first word of its message.
        named = problem.demand.split(maxsplit=1)[0].strip("':")
        param = problem.field or (named if named in model.model_fields else None)
        raise RequestError(problem.message, param) from error
