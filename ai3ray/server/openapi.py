"""The OpenAPI 3.1 document of `GET /openapi.json`, generated from the endpoints."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from ai3ray.server.bodies import Envelope
from ai3ray.server.routing import Endpoint
from ai3ray.version import __version__

Schemas = dict[tuple[type[BaseModel], JsonSchemaMode], dict[str, Any]]

_REASONS = {
    400: "The request is wrong; `param` names the field.",
    401: "The key is missing or unknown.",
    402: "The run's budget is spent.",
    403: "The key lacks the scope, or the host or origin is not allowed.",
    404: "There is no such run, path or model.",
    408: "The body took too long to arrive.",
    409: "The Idempotency-Key was used with another body, or the run's state does not allow it.",
    413: "The body is larger than 8 MB.",
    429: "A limit is used up; `Retry-After` gives the seconds to wait.",
    502: "The model calls failed.",
    503: "The engine is starting, stopping, or cannot write; try again.",
}
_ALWAYS = (400, 401, 403, 429, 503)
_WITH_BODY = (408, 413)

_SSE = {
    "description": "One server-sent event; `data` is JSON.",
    "type": "object",
    "properties": {name: {"type": "string"} for name in ("id", "event", "data")},
}
_PATH_PARAMETERS = {"run_id": "A run's id.", "model": "A model's id."}


@cache
def openapi(endpoints: tuple[Endpoint, ...]) -> dict[str, Any]:
    """Return the OpenAPI document of these endpoints."""
    paths: dict[str, dict[str, Any]] = {}
    schemas, components = _schemas(endpoints)
    for endpoint in endpoints:
        path = re.sub(r":\w+\}", "}", endpoint.path)
        paths.setdefault(path, {})[endpoint.method.lower()] = _operation(endpoint, path, schemas)
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


def _schemas(endpoints: Iterable[Endpoint]) -> tuple[Schemas, dict[str, Any]]:
    """Return a reference for each body and answer, and the schemas behind the references."""
    models: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {(Envelope, "serialization"): None}
    for endpoint in endpoints:
        if endpoint.body is not None:
            models[endpoint.body, "validation"] = None
        if endpoint.answer is not None:
            models[endpoint.answer, "serialization"] = None
    references, document = models_json_schema(list(models), ref_template="#/components/schemas/{model}")
    return dict(references), document["$defs"]  # type: ignore[arg-type]  # pydantic's own key type is wider


def _operation(endpoint: Endpoint, path: str, schemas: Schemas) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": endpoint.summary,
        "operationId": f"{endpoint.method.lower()}{path.replace('/', '_').replace('{', '').replace('}', '')}",
        "responses": _responses(endpoint, schemas),
        "security": [{"key": []}] if endpoint.scope else [],
    }
    if endpoint.scope:
        operation["x-ai3-scope"] = endpoint.scope
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "description": _PATH_PARAMETERS.get(name, ""), "schema": {"type": "string"}}
        | {"required": True}
        for name in re.findall(r"\{(\w+)\}", path)
    ]
    for parameter in endpoint.parameters:
        described = {"in": parameter.location, "description": parameter.description, "schema": parameter.schema}
        parameters.append({"name": parameter.name, **described})
    if parameters:
        operation["parameters"] = parameters
    if endpoint.body is not None:
        content = {"application/json": {"schema": schemas[endpoint.body, "validation"]}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _responses(endpoint: Endpoint, schemas: Schemas) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if endpoint.answer is not None:
        content["application/json"] = {"schema": schemas[endpoint.answer, "serialization"]}
    elif not endpoint.streams:
        content["application/json"] = {"schema": {"type": "object"}}
    if endpoint.streams:
        content["text/event-stream"] = {"schema": _SSE}
    responses: dict[str, Any] = {str(endpoint.status): {"description": "Done.", "content": content}}
    envelope = {"application/json": {"schema": schemas[Envelope, "serialization"]}}
    for status in sorted({*_ALWAYS, *endpoint.errors, *(_WITH_BODY if endpoint.body else ())}):
        description = _REASONS.get(status) or HTTPStatus(status).phrase
        responses[str(status)] = {"description": description, "content": envelope}
    return responses
