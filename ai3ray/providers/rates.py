"""Read rate limits and waiting times from reply headers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from ai3ray.domain.call import RateHeaders, RateWindow

MAX_WINDOW_S = 31 * 24 * 3600.0
"""No rate window is longer than a month; a larger figure is a time stamp or nonsense."""

_GO_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:h|ms|m|us|µs|ns|s))+")
_GO_PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|us|µs|ns|s)")
_GO_UNIT = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


def rate_headers(headers: Mapping[str, str]) -> RateHeaders | None:
    """Return the rate limits in Anthropic's or OpenAI's headers (case-insensitive); None without any."""
    windows = {
        "requests": _window(headers, "requests"),
        "tokens": _window(headers, "tokens"),
        "input_tokens": _window(headers, "input-tokens"),
        "output_tokens": _window(headers, "output-tokens"),
    }
    return RateHeaders(**windows) if any(windows.values()) else None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait: those the provider asks for, else the reset of an exhausted window."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    requested = headers.get("retry-after")
    if requested is not None:
        return _seconds(requested, headers)
    limits = rate_headers(headers)
    windows = (limits.requests, limits.tokens, limits.input_tokens, limits.output_tokens) if limits else ()
    resets = [window.reset_s or 0.0 for window in windows if window and window.remaining == 0]
    return max(resets, default=None)


def _window(headers: Mapping[str, str], what: str) -> RateWindow | None:
    def value(part: str) -> str | None:
        return headers.get(f"anthropic-ratelimit-{what}-{part}") or headers.get(f"x-ratelimit-{part}-{what}")

    limit, remaining, reset = _number(value("limit")), _number(value("remaining")), value("reset")
    if limit is None and remaining is None and reset is None:
        return None
    return RateWindow(
        limit=None if limit is None else int(limit),
        remaining=None if remaining is None else int(remaining),
        reset_s=None if reset is None else _seconds(reset, headers),
    )


def _seconds(value: str, headers: Mapping[str, str]) -> float | None:
    """Read a number, a Go duration (`6m0s`), or a date, which is measured from the reply's own `Date`."""
    value = value.strip()
    seconds = _number(value)
    if seconds is None and _GO_DURATION.fullmatch(value):
        seconds = sum(float(figure) * _GO_UNIT[unit] for figure, unit in _GO_PART.findall(value))
    if seconds is None:
        moment = _date(value)
        now = _date(headers.get("date") or "") or datetime.now(UTC)
        seconds = max(0.0, (moment - now).total_seconds()) if moment else None
    return seconds if seconds is not None and seconds <= MAX_WINDOW_S else None


def _number(value: str | None) -> float | None:
    try:
        figure = float(value) if value is not None else -1.0
    except ValueError:
        return None
    return figure if 0 <= figure < float("inf") else None


def _date(value: str) -> datetime | None:
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(value)
        except ValueError:
            continue
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None
