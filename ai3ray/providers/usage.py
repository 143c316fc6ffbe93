"""Token counts: what a provider told, where it can be believed, and our estimate where not."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from ai3ray.domain.call import Prompt, Usage
from ai3ray.domain.tokens import estimated_tokens

MAX_TOKENS = 4_000_000
"""More than any model can read or write in one call: a larger figure is a fault, not a count."""


class ReportedUsage(NamedTuple):
    """The counts of one reply as its provider told them; None where it said nothing believable."""

    input_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    output_tokens: int | None = None


def token_count(value: Any) -> int | None:
    """The value when it can be a token count, else None."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_TOKENS:
        return value
    return None


def resolve_usage(reported: ReportedUsage, prompt: Prompt, text: str) -> Usage:
    """What was used: the provider's counts, or ours, marked, where they are missing or cannot be.

    Args:
        reported: the provider's counts.
        prompt: what was asked; a prompt of words with zero input tokens is not believed.
        text: the answer; a text with zero output tokens is not believed.
    """
    read, written = reported.input_tokens or 0, reported.output_tokens or 0
    cached, stored = reported.cached_tokens or 0, reported.cache_write_tokens or 0
    believed = read > 0 and (written > 0 or (reported.output_tokens == 0 and not text)) and cached + stored <= read
    if believed:
        return Usage(input_tokens=read, cached_tokens=cached, cache_write_tokens=stored, output_tokens=written)
    read = read or estimate(prompt_text(prompt))
    cached = min(cached, read)
    return Usage(
        input_tokens=read,
        cached_tokens=cached,
        cache_write_tokens=min(stored, read - cached),
        output_tokens=written or estimate(text),
        estimated=True,
    )


def estimate(text: str) -> int:
    """Tokens of a text by the rule of thumb."""
    return estimated_tokens(len(text))


def prompt_text(prompt: Prompt) -> str:
    """All that a prompt makes the provider read."""
    schema = json.dumps(prompt.json_schema) if prompt.json_schema else ""
    return "\n".join([prompt.system, *(message.text for message in prompt.messages), schema]).strip()
