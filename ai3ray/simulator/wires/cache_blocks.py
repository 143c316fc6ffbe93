"""The blocks of an Anthropic request, for its cache: what it marks with `cache_control`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from ai3ray.simulator.wires.parsed_request import ContentBlock, RequestRefused
from ai3ray.simulator.wires.wire import compact

MOST_BREAKPOINTS = 4
_SEPARATOR = 2
"""Characters that join one block to the next in what the model reads."""


def blocks_of(body: Mapping[str, Any]) -> tuple[ContentBlock, ...]:
    """The prompt block by block, tools first; empty when the request marks nothing.

    Raises:
        Refused: a mark is wrong, or there are too many.
    """
    blocks = list(_blocks(body))
    own = _ttl(body)
    if own is not None and blocks:
        blocks[-1] = blocks[-1]._replace(ttl=own)  # a mark on the request itself is for its last block
    marks = sum(block.ttl is not None for block in blocks)
    if marks > MOST_BREAKPOINTS:
        words = f"A maximum of {MOST_BREAKPOINTS} blocks with cache_control may be provided. Found {marks}."
        raise RequestRefused("invalid", words, "cache_control")
    return tuple(blocks) if marks else ()


def _blocks(body: Mapping[str, Any]) -> Iterator[ContentBlock]:
    for tool in body.get("tools") or ():
        # What a tool says is not counted as text, but another tool is another prefix.
        yield ContentBlock(f"tool {compact(tool)}", 0, _ttl(tool))
    yield from _parts("system", body.get("system"))
    for message in body["messages"]:
        yield from _parts(str(message["role"]), message["content"])


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
