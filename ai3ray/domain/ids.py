"""Identifiers that sort by their time."""

from __future__ import annotations

import secrets
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base 32: no i, l, o, u
_PAIRS = tuple(high + low for high in _ALPHABET for low in _ALPHABET)


def new_id(prefix: str, now_ms: int | None = None) -> str:
    """Return a ULID-like id: `prefix_`, 10 characters of milliseconds, 12 random ones (60 bits).

    `now_ms` counts from the epoch; the wall clock when absent.
    """
    stamp = int(time.time() * 1000) if now_ms is None else now_ms
    return f"{prefix}_{_base32(stamp, 10)}{_base32(secrets.randbits(60), 12)}"


def _base32(value: int, width: int) -> str:
    """Return an even number of digits, made two at a time for speed."""
    pairs = []
    for _ in range(width // 2):
        pairs.append(_PAIRS[value & 1023])
        value >>= 10
    return "".join(reversed(pairs))
