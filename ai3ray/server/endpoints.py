"""Every endpoint of the HTTP API, one row each.

To add one, write its function and add its row here. The local head adds its own on its socket
(`deployments.local_head.routes`).
"""

from __future__ import annotations

from ai3ray.domain.events import Stats
from ai3ray.domain.listings import Accepted
from ai3ray.domain.request import RunRequest
from ai3ray.domain.result import RunResult
from ai3ray.server import bodies, engine_endpoints, run_endpoints
from ai3ray.server.openai import chat
from ai3ray.server.openai.chat_request import ChatRequest
from ai3ray.server.parameters import AFTER, BEFORE, DELTAS, IDEMPOTENCY_KEY, LAST_EVENT_ID, LIMIT
from ai3ray.server.routing import Endpoint

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "POST",
        "/run",
        "run",
        run_endpoints.run,
        "Run a request and wait for its end. The run continues if the client disconnects.",
        body=RunRequest,
        answer=RunResult,
        errors=(409,),
        parameters=(IDEMPOTENCY_KEY,),
        spends=True,
        long_lived=True,
    ),
    Endpoint(
        "POST",
        "/stream/run",
        "run",
        run_endpoints.stream,
        "Run a request and stream its events and pieces of its answers.",
        body=RunRequest,
        streams=True,
        errors=(409,),
        parameters=(IDEMPOTENCY_KEY,),
        spends=True,
        long_lived=True,
    ),
    Endpoint(
        "POST",
        "/runs",
        "run",
        run_endpoints.submit,
        "Start a run and answer at once. The run is durable and needs no client.",
        body=RunRequest,
        answer=Accepted,
        status=202,
        errors=(409,),
        parameters=(IDEMPOTENCY_KEY, DELTAS),
        spends=True,
    ),
    Endpoint(
        "GET",
        "/runs",
        "read",
        run_endpoints.list_runs,
        "List runs, newest first.",
        answer=bodies.RunPage,
        parameters=(LIMIT, BEFORE),
    ),
    Endpoint(
        "GET",
        "/runs/{run_id}",
        "read",
        run_endpoints.show,
        "Show a run's current state.",
        answer=RunResult,
        errors=(404,),
    ),
    Endpoint(
        "GET",
        "/runs/{run_id}/events",
        "read",
        run_endpoints.events,
        "Stream a run's journaled events from any id on; the stream ends after `stats`.",
        streams=True,
        errors=(404,),
        parameters=(LAST_EVENT_ID, AFTER, DELTAS),
        long_lived=True,
    ),
    Endpoint(
        "POST",
        "/runs/{run_id}/cancel",
        "run",
        run_endpoints.cancel,
        "Cancel a run and answer when it has ended.",
        answer=RunResult,
        errors=(404,),
    ),
    Endpoint(
        "POST",
        "/runs/{run_id}/resume",
        "run",
        run_endpoints.resume,
        "Resume a run if it has not ended.",
        answer=RunResult,
        errors=(404, 409),
        spends=True,
    ),
    Endpoint(
        "POST",
        "/plan",
        "run",
        run_endpoints.plan,
        "Plan a request and estimate its cost; no task runs.",
        body=RunRequest,
        answer=bodies.Plan,
        errors=(402, 409, 502),
        spends=True,
        long_lived=True,
    ),
    Endpoint(
        "GET",
        "/models",
        "read",
        engine_endpoints.models,
        "List all models with live telemetry.",
        answer=bodies.ModelList,
    ),
    Endpoint("GET", "/stats", "read", engine_endpoints.stats, "Return statistics over all runs.", answer=Stats),
    Endpoint(
        "POST",
        "/sql",
        "sql",
        engine_endpoints.sql,
        "Query the journal with one read-only SELECT.",
        body=bodies.SqlQuery,
        answer=bodies.SqlAnswer,
    ),
    Endpoint("GET", "/healthz", None, engine_endpoints.healthz, "Report the server's state.", answer=bodies.Health),
    Endpoint(
        "POST",
        "/v1/chat/completions",
        "run",
        chat.complete,
        "Chat with ai3ray as a model: `ai3` plans, `ai3/direct` does not, a model's id is routed to that model alone.",
        body=ChatRequest,
        answer=bodies.ChatCompletion,
        streams=True,
        errors=(402, 409, 502),
        parameters=(IDEMPOTENCY_KEY,),
        spends=True,
        long_lived=True,
    ),
    Endpoint(
        "GET",
        "/v1/models",
        "read",
        chat.list_models,
        "List the models that `POST /v1/chat/completions` accepts.",
        answer=bodies.OpenAiModelList,
    ),
    Endpoint(
        "GET",
        "/v1/models/{model:path}",
        "read",
        chat.show_model,
        "Show one of the models that `GET /v1/models` lists.",
        answer=bodies.OpenAiModel,
        errors=(404,),
    ),
    Endpoint("GET", "/openapi.json", None, engine_endpoints.openapi_document, "Describe this API."),
)
