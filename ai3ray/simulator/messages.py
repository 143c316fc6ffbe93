"""Anthropic's Messages format, byte by byte."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ai3ray.simulator.asked import Asked, Reason, Refused
from ai3ray.simulator.buckets import Allowance, Bucket
from ai3ray.simulator.settings import Account
from ai3ray.simulator.wire import Sheet, compact, model_of, positive, text_of, turns_of

SAMPLING_VERSION = "2023-06-01"
"""The last version of the API that took sampling parameters from current models."""

_REFUSALS: dict[Reason, tuple[int, str]] = {
    "invalid": (400, "invalid_request_error"),
    "auth": (401, "authentication_error"),
    "unknown_model": (404, "not_found_error"),
    "too_long": (400, "invalid_request_error"),
    "rate_limit": (429, "rate_limit_error"),
    "quota": (429, "rate_limit_error"),
    "server_error": (500, "api_error"),
    "overloaded": (529, "overloaded_error"),
}
_STOP = {"stop": "end_turn", "length": "max_tokens", "refusal": "refusal"}


class MessagesWire:
    """POST /v1/messages; see Wire."""

    def read(self, body: Mapping[str, Any], headers: Mapping[str, str], account: Account) -> Asked:
        """Understand a request."""
        model = model_of(body)
        max_tokens = positive(body, "max_tokens", required=True)
        turns = turns_of(body)
        for role, _ in turns:
            if role not in {"user", "assistant"}:
                raise Refused("invalid", f"messages: unexpected role {role!r}", "messages")
        sampling = [name for name in ("temperature", "top_p", "top_k") if body.get(name) is not None]
        if sampling and headers.get("anthropic-version") != SAMPLING_VERSION:
            raise Refused("invalid", f"{sampling[0]}: sampling parameters are not supported", sampling[0])
        output = (body.get("output_config") or {}).get("format") or {}
        return Asked(
            account=account,
            model=model,
            stream=body.get("stream") is True,
            system=text_of(body.get("system")),
            turns=tuple(turns),
            max_tokens=max_tokens,
            schema=output.get("schema") if output.get("type") == "json_schema" else None,
        )

    def refusal(self, refused: Refused, request_id: str) -> tuple[int, dict[str, Any]]:
        """Status and body of a refusal."""
        status, kind = _REFUSALS[refused.reason]
        error: dict[str, Any] = {"type": kind, "message": refused.message}
        if refused.reason == "quota":
            error["details"] = {"error_code": "enforced_spend_limit_reached"}
        return refused.status or status, {"type": "error", "error": error, "request_id": request_id}

    def headers(self, request_id: str, allowance: Allowance, retry_after_s: float | None) -> dict[str, str]:
        """The headers of every reply."""
        told = {"request-id": request_id, "anthropic-workspace-id": "wrkspc_simulated"}
        tokens = allowance.tokens
        for name, bucket in (("requests", allowance.requests), ("tokens", tokens), ("input-tokens", tokens)):
            told |= _window(name, bucket)
        told |= _window("output-tokens", tokens)
        if retry_after_s is not None:
            told["retry-after"] = f"{retry_after_s:g}"
        return told

    def whole(self, sheet: Sheet) -> dict[str, Any]:
        """The body of an answer that is not streamed."""
        text = sheet.written.text
        message = _message(sheet, [{"type": "text", "text": text}] if text else [], *_stopped(sheet))
        if sheet.written.tells_usage:
            message["usage"] = _usage(sheet, sheet.written.output_tokens)
        return message

    def opening(self, sheet: Sheet) -> Iterable[bytes]:
        """What a stream begins with."""
        message = _message(sheet, [], None, None)
        if sheet.written.tells_usage:
            message["usage"] = _usage(sheet, 1)
        yield _event("message_start", {"message": message})
        yield _event("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}})
        yield _event("ping", {})

    def piece(self, _sheet: Sheet, text: str) -> bytes:
        """A piece of the answer."""
        return _event("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": text}})

    def closing(self, sheet: Sheet) -> Iterable[bytes]:
        """What a stream ends with."""
        reason, details = _stopped(sheet)
        delta = {"stop_reason": reason, "stop_sequence": None, "stop_details": details}
        usage = {"usage": _usage(sheet, sheet.written.output_tokens)} if sheet.written.tells_usage else {}
        yield _event("content_block_stop", {"index": 0})
        yield _event("message_delta", {"delta": delta, **usage})
        yield _event("message_stop", {})

    def error_event(self, request_id: str) -> bytes:
        """The overload that is told inside a stream."""
        error = {"type": "overloaded_error", "message": "Overloaded"}
        return _event("error", {"error": error, "request_id": request_id})


def _message(
    sheet: Sheet, content: list[dict[str, Any]], reason: str | None, details: dict[str, Any] | None
) -> dict[str, Any]:
    return {
        "id": f"msg_{sheet.request_id}",
        "type": "message",
        "role": "assistant",
        "model": sheet.asked.model,
        "content": content,
        "stop_reason": reason,
        "stop_sequence": None,
        "stop_details": details,
    }


def _stopped(sheet: Sheet) -> tuple[str, dict[str, Any] | None]:
    finish = sheet.written.finish
    details = {"type": "refusal", "category": "general_harms", "explanation": None} if finish == "refusal" else None
    return _STOP[finish], details


def _usage(sheet: Sheet, output_tokens: int) -> dict[str, Any]:
    return {
        "input_tokens": sheet.input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output_tokens,
        "service_tier": "standard",
    }


def _event(name: str, fields: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {compact({'type': name, **fields})}\n\n".encode()


def _window(name: str, bucket: Bucket) -> dict[str, str]:
    remaining = max(0, int(bucket.level))
    if name != "requests":
        remaining = remaining // 1000 * 1000  # the vendor rounds so, too
    reset = datetime.now(UTC) + timedelta(seconds=bucket.reset_s)
    prefix = f"anthropic-ratelimit-{name}"
    return {
        f"{prefix}-limit": str(bucket.per_minute),
        f"{prefix}-remaining": str(remaining),
        f"{prefix}-reset": reset.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
