"""Bodies and answers of the HTTP API that are not domain models."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, Field, model_validator

from ai3ray.domain.frozen import Frozen
from ai3ray.domain.listings import ModelView, RunRow
from ai3ray.domain.plan import TaskGraph

MAX_ROWS = 10_000


class RunPage(Frozen):
    """A page of runs, newest first."""

    runs: tuple[RunRow, ...]
    next: str | None
    """The value of `before` for the following page; null on the last one."""


class Plan(Frozen):
    """A plan that was not run."""

    plan: TaskGraph
    estimate: dict[str, float | None]
    """`cost_usd`, null when a price is unknown, and `seconds`."""
    warnings: tuple[str, ...]


class ModelList(Frozen):
    """The registry with live telemetry."""

    models: tuple[ModelView, ...]


class SqlQuery(Frozen):
    """One read-only query of the journal, given as `query` or as `sql`."""

    query: str = ""
    """One SELECT, or EXPLAIN of one."""
    sql: str = ""
    """Another name for `query`."""
    limit: int = Field(default=MAX_ROWS, ge=1, le=10 * MAX_ROWS, strict=True)
    """The most rows in the answer."""

    @model_validator(mode="after")
    def _has_one_text(self) -> Self:
        if {"query", "sql"} <= self.model_fields_set:
            raise ValueError("query: 'sql' is another name for it; give one of them")
        if not self.text.strip():
            raise ValueError(f"{self.text_field!r} must be a single SELECT statement")
        return self

    @property
    def text_field(self) -> str:
        """The field that holds the query."""
        return "sql" if "sql" in self.model_fields_set else "query"

    @property
    def text(self) -> str:
        """The query."""
        return self.query or self.sql


class SqlAnswer(Frozen):
    """The rows of a query."""

    columns: tuple[str, ...]
    """Column names; a repeated one gets a number."""
    rows: tuple[dict[str, Any], ...]
    truncated: bool
    """True when the query has more rows, or more bytes, than an answer holds."""
    as_of: str | None = None
    """UTC time of the queried copy; null when the journal itself was queried."""


class Health(Frozen):
    """The state of the server."""

    status: Literal["starting", "ok", "failed", "stopping"]
    version: str
    pid: int | None = None
    """The process id; absent where keys are required."""
    runs_active: int | None = None
    """The number of runs that have not ended; absent where keys are required."""


class Problem(Frozen):
    """One error."""

    type: str
    message: str
    param: str | None = None


class Envelope(Frozen):
    """The one shape of every error."""

    error: Problem


class ChatCompletion(BaseModel):
    """A completion as OpenAI's clients read it."""

    id: str
    """`chatcmpl-` and the run's id."""
    object: Literal["chat.completion"]
    created: int
    """Unix seconds."""
    model: str
    choices: tuple[dict[str, Any], ...]
    """One choice, with the answer as its message."""
    usage: dict[str, int]
    """The tokens of the whole run."""


class OpenAiModel(BaseModel):
    """A model as OpenAI's clients read it."""

    id: str
    """`ai3`, `ai3/direct` or `provider/model`."""
    object: Literal["model"]
    created: int
    """Always 0."""
    owned_by: str


class OpenAiModelList(BaseModel):
    """Models as OpenAI's clients read them."""

    object: Literal["list"]
    data: tuple[OpenAiModel, ...]
