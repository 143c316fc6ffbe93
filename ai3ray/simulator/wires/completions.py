"""OpenAI's Chat Completions format, and xAI's differences from it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from ai3ray.simulator.vendors import VendorName
from ai3ray.simulator.wires.parsed_request import ParsedRequest, Reason, RequestRefused
from ai3ray.simulator.wires.wire import ReplyContent, compact, model_of, positive, reported_usage, turns_of

_REFUSALS: dict[Reason, tuple[int, str, str | None]] = {
    "invalid": (400, "invalid_request_error", None),
    "auth": (401, "invalid_request_error", "invalid_api_key"),
    "billing": (402, "insufficient_quota", "credit_balance_exhausted"),
    "forbidden": (403, "request_forbidden", "unsupported_country_region_territory"),
    "unknown_model": (404, "invalid_request_error", "model_not_found"),
    "too_long": (400, "invalid_request_error", "context_length_exceeded"),
    "too_large": (413, "invalid_request_error", "request_too_large"),
    "rate_limit": (429, "requests", "rate_limit_exceeded"),
    "ramp": (429, "rate_limit_error", "slow_down"),
    "quota": (429, "insufficient_quota", "credit_balance_exhausted"),
    "server_error": (500, "server_error", None),
    "bad_gateway": (502, "server_error", None),
    "unavailable": (503, "server_error", None),
    "timeout": (504, "server_error", "timeout"),
    "overloaded": (503, "server_error", "server_is_overloaded"),
}
_XAI_CODES: dict[Reason, str] = {
    "invalid": "Client specified an invalid argument",
    "auth": "The caller does not have permission to execute the specified operation",
    "billing": "The caller does not have permission to execute the specified operation",
    "forbidden": "The caller does not have permission to execute the specified operation",
    "unknown_model": "Some requested entity was not found",
    "too_long": "Client specified an invalid argument",
    "too_large": "Client specified an invalid argument",
    "rate_limit": "Some resource has been exhausted",
    "ramp": "Some resource has been exhausted",
    "quota": "Some resource has been exhausted",
    "server_error": "Internal error",
    "bad_gateway": "The service is currently unavailable",
    "unavailable": "The service is currently unavailable",
    "timeout": "Deadline expired before operation could complete",
    "overloaded": "The service is currently unavailable",
}
_FINISH = {"stop": "stop", "length": "length", "refusal": "content_filter"}
_MARK = "\0"
"""Stands for a piece's text while its frame is built; no model id contains it."""
_NO_SAMPLING = ("gpt-5", "gpt-6", "o1", "o3", "o4")


class CompletionsWire:
    """POST /v1/chat/completions."""

    def __init__(self, *, xai: bool = False) -> None:
        self._xai = xai

    def read(self, body: Mapping[str, Any], _headers: Mapping[str, str], vendor: VendorName) -> ParsedRequest:
        """Parse a request."""
        model = model_of(body)
        turns = turns_of(body)
        cap = "max_completion_tokens" if body.get("max_completion_tokens") is not None else "max_tokens"
        for name in ("temperature", "top_p"):
            if body.get(name) is not None and model.startswith(_NO_SAMPLING):
                raise RequestRefused(
                    "invalid", f"Unsupported parameter: '{name}' is not supported with this model.", name
                )
        output = body.get("response_format") or {}
        schema = (output.get("json_schema") or {}).get("schema") if output.get("type") == "json_schema" else None
        return ParsedRequest(
            vendor=vendor,
            model=model,
            stream=body.get("stream") is True,
            system="\n\n".join(text for role, text in turns if role in {"system", "developer"}),
            turns=tuple((role, text) for role, text in turns if role not in {"system", "developer"}),
            max_tokens=positive(body, cap, required=False),
            schema=schema,
            include_usage=bool((body.get("stream_options") or {}).get("include_usage")),
            capped=body.get(cap) is not None,
        )

    def refusal(self, refused: RequestRefused, _request_id: str) -> tuple[int, dict[str, Any]]:
        """Return a refusal's status and body."""
        status, kind, code = _REFUSALS[refused.reason]
        if self._xai:
            code = refused.code or _XAI_CODES[refused.reason]
            return refused.status or status, {"code": code, "error": refused.message}
        error = {"message": refused.message, "type": kind, "param": refused.param, "code": refused.code or code}
        return refused.status or status, {"error": error}

    def headers(self, request_id: str, refused: RequestRefused | None) -> dict[str, str]:
        """Return a reply's headers."""
        headers = {"x-request-id": request_id, "openai-processing-ms": "1", "openai-version": "2020-10-01"}
        if refused is not None and refused.retry_after_s is not None:
            exact_s = refused.retry_after_s if refused.exact_wait_s is None else refused.exact_wait_s
            headers["retry-after"] = f"{refused.retry_after_s:g}"
            headers["retry-after-ms"] = str(math.ceil(1000 * exact_s - 1e-6))
        return headers

    def whole(self, reply: ReplyContent) -> dict[str, Any]:
        """Return a whole answer's body."""
        content, refusal = _content_and_refusal(reply)
        message = {"role": "assistant", "content": content, "refusal": refusal}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(reply)}
        body = {**_head(reply, "chat.completion"), "choices": [choice]}
        if reply.written.reports_usage:
            body["usage"] = self._usage(reply)
        return body

    def opening(self, reply: ReplyContent) -> Iterable[bytes]:
        """Yield a stream's beginning."""
        yield _chunk(reply, {"role": "assistant", "content": "", "refusal": None})

    def frame(self, reply: ReplyContent) -> tuple[bytes, bytes]:
        """Return the bytes around a piece."""
        name = "content" if _content_and_refusal(reply)[1] is None else "refusal"
        before, after = _chunk(reply, {name: _MARK}).split(compact(_MARK).encode(), 1)
        return before, after

    def closing(self, reply: ReplyContent) -> Iterable[bytes]:
        """Yield a stream's end."""
        yield _chunk(reply, {}, _finish(reply))
        if reply.request.include_usage and reply.written.reports_usage:
            head = _head(reply, "chat.completion.chunk")
            yield _data({**head, "choices": [], "usage": self._usage(reply)})
        yield b"data: [DONE]\n\n"

    def error_event(self, request_id: str) -> bytes:
        """Return an overload error."""
        return _data(self.refusal(RequestRefused("overloaded", "The server is overloaded"), request_id)[1])

    def _usage(self, reply: ReplyContent) -> dict[str, Any]:
        used, reasoning = reply.used, reply.written.reasoning_tokens
        usage: dict[str, Any] = {
            "prompt_tokens": used.input_tokens,
            # xAI's completion tokens exclude reasoning, OpenAI's include it.
            "completion_tokens": used.output_tokens - reasoning if self._xai else used.output_tokens,
            "total_tokens": used.input_tokens + used.output_tokens,
            "prompt_tokens_details": {"cached_tokens": used.cache_read, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": reasoning, "audio_tokens": 0},
        }
        if used.cache_write:
            usage["prompt_tokens_details"]["cache_write_tokens"] = used.cache_write
        if self._xai:
            usage["num_sources_used"] = 0
            if reply.ticks is not None:
                usage["cost_in_usd_ticks"] = reply.ticks
        return reported_usage(usage, reply.written.usage_variant)


def _content_and_refusal(reply: ReplyContent) -> tuple[str | None, str | None]:
    """Return content and refusal; with a schema, a refusal has a field of its own."""
    refused = reply.written.finish == "refusal" and reply.request.schema is not None
    return (None, reply.written.text) if refused else (reply.written.text, None)


def _finish(reply: ReplyContent) -> str:
    return "stop" if _content_and_refusal(reply)[1] is not None else _FINISH[reply.written.finish]


def _head(reply: ReplyContent, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{reply.request_id}",
        "object": kind,
        "created": reply.created,
        "model": reply.request.model,
        "service_tier": "default",
        "system_fingerprint": "fp_simulated",
    }


def _chunk(reply: ReplyContent, delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    usage = {"usage": None} if reply.request.include_usage else {}
    return _data({**_head(reply, "chat.completion.chunk"), "choices": [choice], **usage})


def _data(body: dict[str, Any]) -> bytes:
    return f"data: {compact(body)}\n\n".encode()
