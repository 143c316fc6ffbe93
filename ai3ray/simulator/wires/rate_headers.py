"""The vendors' rate headers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

from ai3ray.simulator.limits.limit_meters import LimitMeter

_ROUNDED_TO = 1000
"""Anthropic rounds remaining tokens to this."""


def anthropic_headers(meters: Mapping[str, LimitMeter], now: float, epoch: float) -> dict[str, str]:
    """Return Anthropic's headers, with a date for each reset; `tokens` shows the most restrictive token limit.

    Args:
        meters: the meters by name.
        now: the clock, in seconds.
        epoch: seconds since 1970 when the clock showed 0.
    """
    tokens = meters["tokens"]
    shown = {
        "requests": meters["requests"],
        "input-tokens": meters.get("input_tokens", tokens),
        "output-tokens": meters.get("output_tokens", tokens),
    }
    by_tokens = [tokens, shown["input-tokens"], shown["output-tokens"]]
    shown["tokens"] = min(by_tokens, key=lambda meter: meter.left(now) / meter.per_minute)
    headers: dict[str, str] = {}
    for name, meter in shown.items():
        limit, left = round(meter.per_minute), int(meter.left(now))
        if name != "requests":
            left = min(limit, (left + _ROUNDED_TO // 2) // _ROUNDED_TO * _ROUNDED_TO)
        headers[f"anthropic-ratelimit-{name}-limit"] = str(limit)
        headers[f"anthropic-ratelimit-{name}-remaining"] = str(left)
        headers[f"anthropic-ratelimit-{name}-reset"] = _rfc3339(math.ceil(epoch + now + meter.reset_s(now)))
    return headers


def openai_headers(meters: Mapping[str, LimitMeter], now: float) -> dict[str, str]:
    """Return OpenAI's and xAI's headers, with a duration for each reset, as Go writes it."""
    headers: dict[str, str] = {}
    for name in ("requests", "tokens"):
        meter = meters[name]
        headers[f"x-ratelimit-limit-{name}"] = str(round(meter.per_minute))
        headers[f"x-ratelimit-remaining-{name}"] = str(int(meter.left(now)))
        headers[f"x-ratelimit-reset-{name}"] = go_duration(meter.reset_s(now))
    return headers


def go_duration(seconds: float) -> str:
    """Format a duration to the millisecond, as Go does: `0s`, `120ms`, `1.5s`, `6m0s`, `1h0m30s`."""
    milliseconds = math.ceil(seconds * 1000 - 1e-6)
    if milliseconds <= 0:
        return "0s"
    if milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}h" if hours else ""
    text += f"{minutes}m" if hours or minutes else ""
    return f"{text}{rest / 1000:g}s"


@lru_cache(maxsize=256)
def _rfc3339(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
