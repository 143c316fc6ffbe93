"""Anthropic's Messages format, byte by byte."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ai3ray.simulator.vendors import VendorName
from ai3ray.simulator.wires.cache_blocks import blocks_of
from ai3ray.simulator.wires.parsed_request import ParsedRequest, Reason, RequestRefused
from ai3ray.simulator.wires.wire import ReplyContent, compact, model_of, positive, reported_usage, text_of, turns_of

SAMPLING_VERSION = "2023-06-01"
"""The last version of the API that took sampling parameters from current models."""

_REFUSALS: dict[Reason, tuple[int, str]] = {
    "invalid": (400, "invalid_request_error"),
    "auth": (401, "authentication_error"),
    "billing": (402, "billing_error"),
    "forbidden": (403, "permission_error"),
    "unknown_model": (404, "not_found_error"),
    "too_long": (400, "invalid_request_error"),
    "too_large": (413, "request_too_large"),
    "rate_limit": (429, "rate_limit_error"),
    "ramp": (429, "rate_limit_error"),
    "quota": (429, "rate_limit_error"),
    "server_error": (500, "api_error"),
    "bad_gateway": (502, "api_error"),
    "unavailable": (503, "api_error"),
    "timeout": (504, "timeout_error"),
    "overloaded": (529, "overloaded_error"),
}
_CODES: dict[Reason, str] = {"ramp": "ramp_limit_exceeded", "quota": "enforced_spend_limit_reached"}
_STOP = {"stop": "end_turn", "length": "max_tokens", "refusal": "refusal"}


_FRAME = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":',
    b"}}\n\n",
)


class MessagesWire:
    """POST /v1/messages; see Wire."""

    def read(self, body: Mapping[str, Any], headers: Mapping[str, str], vendor: VendorName) -> ParsedRequest:
        """Understand a request."""
        model = model_of(body)
        max_tokens = positive(body, "max_tokens", required=True)
        turns = turns_of(body)
        for role, _ in turns:
            if role not in {"user", "assistant"}:
                raise RequestRefused("invalid", f"messages: unexpected role {role!r}", "messages")
        sampling = [name for name in ("temperature", "top_p", "top_k") if body.get(name) is not None]
        if sampling and headers.get("anthropic-version") != SAMPLING_VERSION:
            raise RequestRefused("invalid", f"{sampling[0]}: sampling parameters are not supported", sampling[0])
        output = (body.get("output_config") or {}).get("format") or {}
        return ParsedRequest(
            vendor=vendor,
            model=model,
            stream=body.get("stream") is True,
            system=text_of(body.get("system")),
            turns=tuple(turns),
            max_tokens=max_tokens,
            schema=output.get("schema") if output.get("type") == "json_schema" else None,
            blocks=blocks_of(body),
        )

    def refusal(self, refused: RequestRefused, request_id: str) -> tuple[int, dict[str, Any]]:
        """Status and body of a refusal."""
        status, kind = _REFUSALS[refused.reason]
        error: dict[str, Any] = {"type": kind, "message": refused.message}
        code = refused.code or _CODES.get(refused.reason)
        if code:
            error["details"] = {"error_code": code}
        return refused.status or status, {"type": "error", "error": error, "request_id": request_id}

    def headers(self, request_id: str, refused: RequestRefused | None) -> dict[str, str]:
        """The headers of every reply."""
        headers = {"request-id": request_id, "anthropic-workspace-id": "wrkspc_simulated"}
        if refused is not None and refused.retry_after_s is not None:
            headers["retry-after"] = f"{refused.retry_after_s:g}"
        return headers

    def whole(self, reply: ReplyContent) -> dict[str, Any]:
        """The body of an answer that is not streamed."""
        text = reply.written.text
        message = _message(reply, [{"type": "text", "text": text}] if text else [], *_stopped(reply))
        if reply.written.reports_usage:
            message["usage"] = _usage(reply, reply.written.output_tokens)
        return message

    def opening(self, reply: ReplyContent) -> Iterable[bytes]:
        """What a stream begins with."""
        message = _message(reply, [], None, None)
        if reply.written.reports_usage:
            message["usage"] = _usage(reply, 1)
        yield _event("message_start", {"message": message})
        yield _event("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}})
        yield _event("ping", {})

    def frame(self, _content: ReplyContent) -> tuple[bytes, bytes]:
        """What stands around the JSON of a piece's text."""
        return _FRAME

    def closing(self, reply: ReplyContent) -> Iterable[bytes]:
        """What a stream ends with."""
        reason, details = _stopped(reply)
        delta = {"stop_reason": reason, "stop_sequence": None, "stop_details": details}
        usage = {"usage": _usage(reply, reply.written.output_tokens)} if reply.written.reports_usage else {}
        yield _event("content_block_stop", {"index": 0})
        yield _event("message_delta", {"delta": delta, **usage})
        yield _event("message_stop", {})

    def error_event(self, request_id: str) -> bytes:
        """The overload that is told inside a stream."""
        error = {"type": "overloaded_error", "message": "Overloaded"}
        return _event("error", {"error": error, "request_id": request_id})


def _message(
    reply: ReplyContent, content: list[dict[str, Any]], reason: str | None, details: dict[str, Any] | None
) -> dict[str, Any]:
    return {
        "id": f"msg_{reply.request_id}",
        "type": "message",
        "role": "assistant",
        "model": reply.request.model,
        "content": content,
        "stop_reason": reason,
        "stop_sequence": None,
        "stop_details": details,
    }


def _stopped(reply: ReplyContent) -> tuple[str, dict[str, Any] | None]:
    finish = reply.written.finish
    details = {"type": "refusal", "category": "general_harms", "explanation": None} if finish == "refusal" else None
    return _STOP[finish], details


def _usage(reply: ReplyContent, output_tokens: int) -> dict[str, Any]:
    used = reply.used
    usage = {
        "input_tokens": used.fresh,
        "cache_creation_input_tokens": used.cache_write + used.cache_write_1h,
        "cache_read_input_tokens": used.cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": used.cache_write,
            "ephemeral_1h_input_tokens": used.cache_write_1h,
        },
        "output_tokens": output_tokens,
        "service_tier": "standard",
    }
    return reported_usage(usage, reply.written.usage_variant)


def _event(name: str, fields: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {compact({'type': name, **fields})}\n\n".encode()
