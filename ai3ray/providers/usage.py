"""Token counts, reported or estimated."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from ai3ray.domain.call import Prompt, Usage
from ai3ray.domain.tokens import estimated_tokens

MAX_TOKENS = 4_000_000
"""A larger figure is a fault, not a count."""


class ReportedUsage(NamedTuple):
    """A reply's reported token counts; None where absent or impossible."""

    input_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    output_tokens: int | None = None


def token_count(value: Any) -> int | None:
    """Return the value if it can be a token count, else None."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_TOKENS:
        return value
    return None


def resolve_usage(reported: ReportedUsage, prompt: Prompt, text: str) -> Usage:
    """Return the provider's counts, or marked estimates where counts are missing or impossible.

    Args:
        reported: the provider's counts.
        prompt: with words in it, zero input tokens are impossible.
        text: with words in it, zero output tokens are impossible.
    """
    read, written = reported.input_tokens or 0, reported.output_tokens or 0
    cached, stored = reported.cached_tokens or 0, reported.cache_write_tokens or 0
    plausible = read > 0 and (written > 0 or (reported.output_tokens == 0 and not text)) and cached + stored <= read
    if plausible:
        return Usage(input_tokens=read, cached_tokens=cached, cache_write_tokens=stored, output_tokens=written)
    read = read or estimated_tokens(len(prompt_text(prompt)))
    cached = min(cached, read)
    return Usage(
        input_tokens=read,
        cached_tokens=cached,
        cache_write_tokens=min(stored, read - cached),
        output_tokens=written or estimated_tokens(len(text)),
        estimated=True,
    )


def prompt_text(prompt: Prompt) -> str:
    """Return all text of a prompt, its JSON Schema included."""
    schema = json.dumps(prompt.json_schema) if prompt.json_schema else ""
    return "\n".join([prompt.system, *(message.text for message in prompt.messages), schema]).strip()
