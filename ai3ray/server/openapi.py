"""`GET /openapi.json`: the API described from the pydantic models that it is made of (OpenAPI 3.1.0)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel, Field
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from ai3ray.domain.access import Scope
from ai3ray.domain.events import Stats
from ai3ray.domain.frozen import Frozen
from ai3ray.domain.listings import Accepted, ModelView, RunRow
from ai3ray.domain.plan import TaskGraph
from ai3ray.domain.request import RunRequest
from ai3ray.domain.result import RunResult
from ai3ray.server.openai.chat_request import ChatRequest
from ai3ray.version import __version__

Method = Literal["get", "post"]
Statuses = tuple[int, ...]

_REASONS = {
    400: "The request is wrong; `param` names the field.",
    401: "No key, or one that is not known.",
    402: "The run's budget is spent.",
    403: "The key has not the scope, or the request came by a name or from a page that is not allowed.",
    404: "There is no such run, path or model.",
    408: "The body took too long to arrive.",
    409: "The Idempotency-Key came before with another body, or the run cannot do that.",
    413: "The body is larger than 8 MB.",
    429: "Too much was asked; `Retry-After` tells when to come again.",
    502: "The models that were asked failed.",
    503: "The engine is starting, stopping, or cannot write; try again.",
}
_ALWAYS: Statuses = (400, 401, 403, 429, 503)
_WITH_BODY: Statuses = (408, 413)


class RunPage(Frozen):
    """A page of runs, newest first."""

    runs: tuple[RunRow, ...]
    """The runs."""
    next: str | None
    """What `before` takes for the following page; null on the last one."""


class Plan(Frozen):
    """A plan that was not run."""

    plan: TaskGraph
    """The task graph."""
    estimate: dict[str, float | None]
    """`cost_usd`, null when a price is unknown, and `seconds`."""
    warnings: tuple[str, ...]
    """What the reader should know."""


class ModelList(Frozen):
    """The registry."""

    models: tuple[ModelView, ...]
    """Each model with its live telemetry."""


class SqlQuery(Frozen):
    """One question to the journal."""

    query: str
    """One SELECT, or EXPLAIN of one."""
    limit: int = Field(default=10_000, ge=1, le=100_000)
    """The most rows wanted."""


class SqlAnswer(Frozen):
    """Its answer."""

    columns: tuple[str, ...]
    """Column names; one that comes twice gets a number."""
    rows: tuple[dict[str, Any], ...]
    """Rows as objects."""
    truncated: bool
    """Whether there were more rows, or more bytes, than an answer holds."""
    as_of: str | None = None
    """When the copy that was asked was brought up to date, UTC; null when the journal itself was asked."""


class Health(Frozen):
    """How the server is."""

    status: Literal["starting", "ok", "failed", "stopping"]
    """How far the engine is."""
    version: str
    """Of ai3ray."""
    pid: int | None = None
    """Its process, told where no key is asked for."""
    runs_active: int | None = None
    """Runs that have not ended, likewise."""


class Problem(Frozen):
    """What went wrong."""

    type: str
    """Its kind, for programs."""
    message: str
    """One line, for people."""
    param: str | None = None
    """The field that is wrong."""


class Envelope(Frozen):
    """The one shape of every error."""

    error: Problem
    """What went wrong."""


class ChatCompletion(BaseModel):
    """A completion as OpenAI's clients read it."""

    id: str
    """`chatcmpl-` and the run's id."""
    object: Literal["chat.completion"]
    """What it is."""
    created: int
    """Unix seconds."""
    model: str
    """The model that was asked for."""
    choices: tuple[dict[str, Any], ...]
    """One choice, whose message holds the answer."""
    usage: dict[str, int]
    """The tokens of the whole run."""


class OpenAiModel(BaseModel):
    """A model as OpenAI's clients read it."""

    id: str
    """`ai3`, `ai3/direct` or `provider/model`."""
    object: Literal["model"]
    """What it is."""
    created: int
    """Always 0."""
    owned_by: str
    """The provider."""


class OpenAiModelList(BaseModel):
    """Models as OpenAI's clients read them."""

    object: Literal["list"]
    """What it is."""
    data: tuple[OpenAiModel, ...]
    """The models."""


class Operation(Frozen):
    """One method of one path."""

    method: Method
    """How it is asked."""
    path: str
    """Where."""
    summary: str
    """What it does."""
    scope: Scope | None
    """What a key must be allowed; null when none is asked for."""
    answer: type[BaseModel] | None = None
    """What comes back as JSON; an event stream when absent."""
    status: int = 200
    """The status of success."""
    body: type[BaseModel] | None = None
    """What is sent."""
    streams: bool = False
    """Whether the answer is, or may be, an event stream."""
    errors: Statuses = ()
    """Errors beyond those that every operation may answer with."""
    parameters: tuple[str, ...] = ()
    """Names of headers and query parameters, see `_PARAMETERS`."""


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="post",
        path="/run",
        summary="Run it and wait for its end. The run goes on when the client leaves.",
        scope="run",
        body=RunRequest,
        answer=RunResult,
        errors=(409,),
        parameters=("Idempotency-Key",),
    ),
    Operation(
        method="post",
        path="/stream/run",
        summary="Run it and follow its events, pieces of answers among them.",
        scope="run",
        body=RunRequest,
        streams=True,
        errors=(409,),
        parameters=("Idempotency-Key",),
    ),
    Operation(
        method="post",
        path="/runs",
        summary="Accept a run: it is durable and goes on by itself.",
        scope="run",
        body=RunRequest,
        answer=Accepted,
        status=202,
        errors=(409,),
        parameters=("Idempotency-Key", "deltas"),
    ),
    Operation(
        method="get",
        path="/runs",
        summary="Runs, newest first.",
        scope="read",
        answer=RunPage,
        parameters=("limit", "before"),
    ),
    Operation(
        method="get",
        path="/runs/{run_id}",
        summary="The run as it stands.",
        scope="read",
        answer=RunResult,
        errors=(404,),
    ),
    Operation(
        method="get",
        path="/runs/{run_id}/events",
        summary="Its journaled events from any id on; the stream ends after `stats`.",
        scope="read",
        streams=True,
        errors=(404,),
        parameters=("Last-Event-ID", "after", "deltas"),
    ),
    Operation(
        method="post",
        path="/runs/{run_id}/cancel",
        summary="Cancel it; answered when it has ended.",
        scope="run",
        answer=RunResult,
        errors=(404,),
    ),
    Operation(
        method="post",
        path="/runs/{run_id}/resume",
        summary="See to it that it goes on if it has not ended.",
        scope="run",
        answer=RunResult,
        errors=(404, 409),
    ),
    Operation(
        method="post",
        path="/plan",
        summary="The plan and an estimate; no task runs.",
        scope="run",
        body=RunRequest,
        answer=Plan,
        errors=(402, 409, 502),
    ),
    Operation(
        method="get",
        path="/models",
        summary="The registry with live telemetry.",
        scope="read",
        answer=ModelList,
    ),
    Operation(method="get", path="/stats", summary="All runs in figures.", scope="read", answer=Stats),
    Operation(
        method="post",
        path="/sql",
        summary="One read-only SELECT over the journal.",
        scope="sql",
        body=SqlQuery,
        answer=SqlAnswer,
    ),
    Operation(method="get", path="/healthz", summary="How the server is.", scope=None, answer=Health),
    Operation(
        method="post",
        path="/v1/chat/completions",
        summary="ai3ray as a model: `ai3` plans, `ai3/direct` does not, a model's id is routed to it alone.",
        scope="run",
        body=ChatRequest,
        answer=ChatCompletion,
        streams=True,
        errors=(402, 409, 502),
        parameters=("Idempotency-Key",),
    ),
    Operation(
        method="get",
        path="/v1/models",
        summary="The models that `POST /v1/chat/completions` takes.",
        scope="read",
        answer=OpenAiModelList,
    ),
    Operation(
        method="get",
        path="/v1/models/{model}",
        summary="One of them.",
        scope="read",
        answer=OpenAiModel,
        errors=(404,),
    ),
    Operation(method="get", path="/openapi.json", summary="This document.", scope=None),
)
"""The whole API but `/head`, which is the user's own; a test holds it against the routes."""

_TEXT = {"type": "string"}
_SSE = {
    "description": "One server-sent event; `data` is JSON.",
    "type": "object",
    "properties": {"id": _TEXT, "event": _TEXT, "data": _TEXT},
}
_PARAMETERS: dict[str, dict[str, Any]] = {
    "Idempotency-Key": {
        "in": "header",
        "description": "The same key and body again give the same run.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[!-~]+$"},
    },
    "Last-Event-ID": {
        "in": "header",
        "description": "The event to go on after.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "after": {"in": "query", "description": "The same.", "schema": {"type": "integer", "minimum": 0}},
    "deltas": {
        "in": "query",
        "description": "Pieces of answers too. Of a run that is handed in: they will be asked for with its events.",
        "schema": {"type": "boolean"},
    },
    "limit": {
        "in": "query",
        "description": "Runs a page.",
        "schema": {"type": "integer", "minimum": 1, "maximum": 1000},
    },
    "before": {"in": "query", "description": "The run that the page starts after.", "schema": _TEXT},
    "run_id": {"in": "path", "description": "A run's id.", "schema": _TEXT, "required": True},
    "model": {"in": "path", "description": "A model's id.", "schema": _TEXT, "required": True},
}


@cache
def openapi() -> dict[str, Any]:
    """The document; made once."""
    paths: dict[str, dict[str, Any]] = {}
    references, components = _components(OPERATIONS)
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation, references)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ai3ray",
            "version": __version__,
            "description": "One prompt becomes a verified, parallel plan over many language models.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "Made by `ai3 keys new`."}},
        },
    }


References = dict[tuple[type[BaseModel], JsonSchemaMode], dict[str, Any]]


def _components(operations: Iterable[Operation]) -> tuple[References, dict[str, Any]]:
    """A reference for every model as it is sent or answered, and the schemas that they refer to."""
    wanted: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {(Envelope, "serialization"): None}
    for operation in operations:
        if operation.body is not None:
            wanted[operation.body, "validation"] = None
        if operation.answer is not None:
            wanted[operation.answer, "serialization"] = None
    references, document = models_json_schema(list(wanted), ref_template="#/components/schemas/{model}")
    return dict(references), document["$defs"]  # type: ignore[arg-type]  # pydantic's own key type is wider


def _operation(operation: Operation, references: References) -> dict[str, Any]:
    in_path = tuple(name for name in ("run_id", "model") if f"{{{name}}}" in operation.path)
    described: dict[str, Any] = {
        "summary": operation.summary,
        "operationId": f"{operation.method}{operation.path.replace('/', '_').replace('{', '').replace('}', '')}",
        "responses": _responses(operation, references),
        "security": [{"key": []}] if operation.scope else [],
    }
    if operation.scope:
        described["x-ai3-scope"] = operation.scope
    if parameters := (*in_path, *operation.parameters):
        described["parameters"] = [{"name": name, **_PARAMETERS[name]} for name in parameters]
    if operation.body is not None:
        schema = references[operation.body, "validation"]
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return described


def _responses(operation: Operation, references: References) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if operation.answer is not None:
        content["application/json"] = {"schema": references[operation.answer, "serialization"]}
    elif not operation.streams:
        content["application/json"] = {"schema": {"type": "object"}}
    if operation.streams:
        content["text/event-stream"] = {"schema": _SSE}
    responses: dict[str, Any] = {str(operation.status): {"description": "Done.", "content": content}}
    envelope = {"application/json": {"schema": references[Envelope, "serialization"]}}
    for status in sorted({*_ALWAYS, *operation.errors, *(_WITH_BODY if operation.body else ())}):
        responses[str(status)] = {"description": _REASONS[status], "content": envelope}
    return responses
