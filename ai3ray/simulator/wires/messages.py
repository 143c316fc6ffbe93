"""Anthropic's Messages format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from ai3ray.simulator.vendors import VendorName
from ai3ray.simulator.wires.parsed_request import ContentBlock, ParsedRequest, Reason, RequestRefused
from ai3ray.simulator.wires.wire import ReplyContent, compact, model_of, positive, reported_usage, text_of, turns_of

SAMPLING_VERSION = "2023-06-01"
"""The last API version that accepts sampling parameters for current models."""

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
MOST_BREAKPOINTS = 4
_SEPARATOR = 2
"""Characters between blocks in the prompt."""


class MessagesWire:
    """POST /v1/messages."""

    def read(self, body: Mapping[str, Any], headers: Mapping[str, str], vendor: VendorName) -> ParsedRequest:
        """Parse a request."""
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
        """Return a refusal's status and body."""
        status, kind = _REFUSALS[refused.reason]
        error: dict[str, Any] = {"type": kind, "message": refused.message}
        code = refused.code or _CODES.get(refused.reason)
        if code:
            error["details"] = {"error_code": code}
        return refused.status or status, {"type": "error", "error": error, "request_id": request_id}

    def headers(self, request_id: str, refused: RequestRefused | None) -> dict[str, str]:
        """Return a reply's headers."""
        headers = {"request-id": request_id, "anthropic-workspace-id": "wrkspc_simulated"}
        if refused is not None and refused.retry_after_s is not None:
            headers["retry-after"] = f"{refused.retry_after_s:g}"
        return headers

    def whole(self, reply: ReplyContent) -> dict[str, Any]:
        """Return a whole answer's body."""
        text = reply.written.text
        message = _message(reply, [{"type": "text", "text": text}] if text else [], *_stopped(reply))
        if reply.written.reports_usage:
            message["usage"] = _usage(reply, reply.written.output_tokens)
        return message

    def opening(self, reply: ReplyContent) -> Iterable[bytes]:
        """Yield a stream's beginning."""
        message = _message(reply, [], None, None)
        if reply.written.reports_usage:
            message["usage"] = _usage(reply, 1)
        yield _event("message_start", {"message": message})
        yield _event("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}})
        yield _event("ping", {})

    def frame(self, _content: ReplyContent) -> tuple[bytes, bytes]:
        """Return the bytes around a piece."""
        return _FRAME

    def closing(self, reply: ReplyContent) -> Iterable[bytes]:
        """Yield a stream's end."""
        reason, details = _stopped(reply)
        delta = {"stop_reason": reason, "stop_sequence": None, "stop_details": details}
        usage = {"usage": _usage(reply, reply.written.output_tokens)} if reply.written.reports_usage else {}
        yield _event("content_block_stop", {"index": 0})
        yield _event("message_delta", {"delta": delta, **usage})
        yield _event("message_stop", {})

    def error_event(self, request_id: str) -> bytes:
        """Return an overload error."""
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


def blocks_of(body: Mapping[str, Any]) -> tuple[ContentBlock, ...]:
    """Return the prompt's blocks, tools first; none without a `cache_control` mark.

    Raises:
        RequestRefused: a mark is wrong, or there are too many.
    """
    # A tool's definition does not count as text, but another tool makes another prefix.
    blocks = [ContentBlock(f"tool {compact(tool)}", 0, _ttl(tool)) for tool in body.get("tools") or ()]
    blocks += _parts("system", body.get("system"))
    for message in body["messages"]:
        blocks += _parts(str(message["role"]), message["content"])
    own = _ttl(body)
    if own is not None and blocks:
        blocks[-1] = blocks[-1]._replace(ttl=own)  # a mark on the request itself applies to its last block
    marks = sum(block.ttl is not None for block in blocks)
    if marks > MOST_BREAKPOINTS:
        words = f"A maximum of {MOST_BREAKPOINTS} blocks with cache_control may be provided. Found {marks}."
        raise RequestRefused("invalid", words, "cache_control")
    return tuple(blocks) if marks else ()


def _parts(role: str, content: Any) -> Iterator[ContentBlock]:
    if isinstance(content, str) and content:
        yield ContentBlock(f"{role} {content}", len(content) + _SEPARATOR)
    for part in content if isinstance(content, list) else ():
        if isinstance(part, Mapping):
            text = str(part.get("text", ""))
            yield ContentBlock(f"{role} {text}", len(text) + _SEPARATOR, _ttl(part))


def _ttl(part: Any) -> Literal["5m", "1h"] | None:
    mark = part.get("cache_control") if isinstance(part, Mapping) else None
    if mark is None:
        return None
    ttl = mark.get("ttl", "5m") if isinstance(mark, Mapping) and mark.get("type") == "ephemeral" else None
    if ttl == "5m" or ttl == "1h":
        return "1h" if ttl == "1h" else "5m"
    raise RequestRefused("invalid", "cache_control: give type 'ephemeral', and ttl '5m' or '1h'", "cache_control")
