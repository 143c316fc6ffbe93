"""Functions of the endpoints under `/v1`, for OpenAI clients."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any
from urllib.parse import unquote

from pydantic_core import to_json
from starlette.responses import Response, StreamingResponse

from ai3ray.domain.events import Cancelled, Event, Final, RunFailed, StatsEvent, parse_event
from ai3ray.domain.listings import Accepted, ModelView
from ai3ray.domain.result import RunResult
from ai3ray.errors import Ai3Error, BudgetSpent, HeadUnavailable, RateLimited, UnknownModel
from ai3ray.server.error_replies import error_envelope, json_response
from ai3ray.server.event_stream import PING, SSE_HEADERS, Feeds, follow
from ai3ray.server.openai.answer_stream import AnswerStream
from ai3ray.server.openai.chat_request import DIRECT, PLANS, ChatRequest, chat_field_names, run_request
from ai3ray.server.routing import ApiCall
from ai3ray.server.run_endpoints import finished_run, run_header, start_run, stopping_message

_DONE = b"data: [DONE]\n\n"
_STATUS = {BudgetSpent.type: BudgetSpent.http_status, RateLimited.type: 429, "cancelled": 409}
"""HTTP statuses of failed runs, by the error's type; 502 for all others."""


async def complete(call: ApiCall[ChatRequest]) -> Response:
    """Complete a chat by a run, streamed or whole."""
    chat, host = call.body, call.host
    with chat_field_names(chat):
        request = run_request(chat)
        engine, accepted = await start_run(call, request, watch=chat.stream)
    headers = run_header(accepted)
    if chat.stream:
        feeds = follow(engine, accepted.run_id, deltas=True, silence_s=host.ping_s, closing=host.gate.closing)
        chunks = _ChunkStream(chat, accepted, AnswerStream(request.assembly)).chunks(feeds)
        return StreamingResponse(chunks, media_type="text/event-stream", headers=SSE_HEADERS | headers)
    return _completion(chat, await finished_run(call, engine, accepted.run_id), headers)


async def list_models(call: ApiCall[None]) -> Response:
    """List `ai3`, `ai3/direct` and the configured models."""
    views = _callable(await (await call.engine()).models())
    return json_response({"object": "list", "data": [_model(PLANS), _model(DIRECT), *map(_known, views)]})


async def show_model(call: ApiCall[None]) -> Response:
    """Show one of the models that `list_models` lists."""
    name = unquote(call.request.path_params["model"])
    if name in (PLANS, DIRECT):
        return json_response(_model(name))
    for view in _callable(await (await call.engine()).models()):
        if view.model == name:
            return json_response(_known(view))
    return error_envelope(404, UnknownModel.type, f"there is no model {name!r} here", "model")


class _ChunkStream:
    """The chunks of one streamed completion."""

    def __init__(self, chat: ChatRequest, accepted: Accepted, answer: AnswerStream) -> None:
        self._answer = answer
        self._run_id = accepted.run_id
        self._with_usage = bool(chat.stream_options and chat.stream_options.include_usage)
        self._frame = {
            "id": f"chatcmpl-{accepted.run_id}",
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": chat.model,
        }

    async def chunks(self, feeds: Feeds) -> AsyncGenerator[bytes, None]:
        """Yield the role, the pieces, the finish reason and `[DONE]`, or an error when the run failed."""
        yield self._chunk({"role": "assistant", "content": ""})
        async with aclosing(feeds):
            try:
                async for feed in feeds:
                    items = feed.items if feed is not None else ()
                    body = b"".join(chunk for item in items for chunk in self._chunks(parse_event(item.data)))
                    if body or feed is None:
                        yield body or PING
                    if feed is not None and feed.done:
                        return
            except Ai3Error as error:
                yield _error(error.type, error.message)
                return
        yield _error(HeadUnavailable.type, stopping_message(self._run_id))

    def _chunks(self, event: Event) -> list[bytes]:
        pieces = [self._chunk({"content": piece}) for piece in self._answer.feed(event)]
        match event:
            case Final():
                return [*pieces, self._chunk({}, "stop")]
            case RunFailed():
                return [*pieces, _error(event.error.type, event.error.message)]
            case Cancelled():
                return [*pieces, _error("cancelled", f"the run was cancelled by {event.by}")]
            case StatsEvent() if self._with_usage:
                usage = _usage(event.input_tokens, event.output_tokens)
                return [*pieces, _data(self._frame | {"choices": [], "usage": usage}), _DONE]
            case StatsEvent():
                return [*pieces, _DONE]
        return pieces

    def _chunk(self, delta: dict[str, str], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _data(self._frame | {"choices": [choice]} | ({"usage": None} if self._with_usage else {}))


def _completion(chat: ChatRequest, run: RunResult, headers: dict[str, str]) -> Response:
    if run.output is None or run.status not in ("succeeded", "partial"):
        kind = run.error.type if run.error else run.status
        message = run.error.message if run.error else f"the run ended as {run.status}"
        error = error_envelope(_STATUS.get(kind, 502), kind, message)
        error.headers.update(headers)
        return error
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": run.output, "refusal": None},
        "logprobs": None,
        "finish_reason": "stop",
    }
    body = {
        "id": f"chatcmpl-{run.run_id}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": chat.model,
        "choices": [choice],
        "usage": _usage(run.stats.input_tokens, run.stats.output_tokens),
    }
    return json_response(body, headers=headers)


def _usage(input_tokens: int, output_tokens: int) -> dict[str, int]:
    return {
        "prompt_tokens": input_tokens,
        "completion_tokens": output_tokens,
        "total_tokens": input_tokens + output_tokens,
    }


def _error(kind: str, message: str) -> bytes:
    return _data({"error": {"message": message, "type": kind, "code": kind, "param": None}})


def _data(value: Any) -> bytes:
    return b"data: " + to_json(value, inf_nan_mode="null") + b"\n\n"


def _model(name: str, owner: str = "ai3ray") -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": owner}


def _known(view: ModelView) -> dict[str, Any]:
    return _model(view.model, view.provider)


def _callable(views: Any) -> list[ModelView]:
    return [view for view in views if view.configured and view.state != "retired"]
