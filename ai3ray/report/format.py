"""Format numbers and texts for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ai3ray.domain.call import ErrorInfo

_VISIBLE_CONTROLS = (
    {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\n\t"}
    | {0x7F: 0x2421}
    | dict.fromkeys(range(0x80, 0xA0), 0xFFFD)
)


def money(usd: float | None) -> str:
    """Format US dollars; an unknown price is `$?`, never 0."""
    if usd is None:
        return "$?"
    return f"${usd:.4f}" if usd == 0 or usd >= 0.01 else f"${usd:.6f}"


def seconds(value: float | None) -> str:
    """Format a duration: `0.42 s`, `12.3 s`, `3 min 05 s`, `2 h 10 min`."""
    if value is None:
        return "-"
    if value < 9.995:
        return f"{value:.2f} s"
    if value < 99.95:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def count(number: int, noun: str) -> str:
    """Format a count: `1 task`, `3 tasks`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def size(number: int) -> str:
    """Format a size in bytes: `812 B`, `1.2 MB`."""
    value, unit = float(number), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def share(value: float | None) -> str:
    """Format a share of one in per cent."""
    return "-" if value is None else f"{value:.0%}"


def clipped(text: str, width: int) -> str:
    """Return the beginning of the text, in at most `width` characters."""
    return text if len(text) <= width else f"{text[: width - 1].rstrip()}…"


def visible(text: str) -> str:
    """Return the text with control characters made visible; newlines and tabs stay."""
    return text.replace("\r\n", "\n").translate(_VISIBLE_CONTROLS)


def one_line(text: str) -> str:
    """Return the text as one line without control characters."""
    return visible(" ".join(text.split()))


def error_words(error: ErrorInfo) -> str:
    """Format an error with its model or provider and request id."""
    source = error.model or error.provider
    request = f" (request {error.request_id})" if error.request_id else ""
    return f"{error.type}: {error.message}{f' [{source}]' if source else ''}{request}"
