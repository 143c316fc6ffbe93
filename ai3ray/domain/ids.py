"""Identifiers that sort by time of birth."""

from __future__ import annotations

import secrets
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base 32: no i, l, o, u


def new_id(prefix: str, now_ms: int | None = None) -> str:
    """A ULID-like id: `prefix_`, 10 characters of milliseconds, 12 random ones (60 bits).

    Args:
        prefix: what it names, such as `run`.
        now_ms: milliseconds since the epoch; the wall clock when absent.
    """
    stamp = int(time.time() * 1000) if now_ms is None else now_ms
    return f"{prefix}_{_base32(stamp, 10)}{_base32(secrets.randbits(60), 12)}"


def _base32(value: int, width: int) -> str:
    digits = []
    for _ in range(width):
        value, digit = divmod(value, 32)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
