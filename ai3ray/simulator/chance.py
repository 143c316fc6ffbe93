"""Repeatable random numbers."""

from __future__ import annotations

from hashlib import blake2b

_SPAN = float(2**64)


def chance(seed: int, *about: object) -> float:
    """Return a number from 0 to 1, uniform over `about` and repeatable for a seed."""
    question = ":".join(map(str, (seed, *about)))
    return int.from_bytes(blake2b(question.encode(), digest_size=8).digest(), "big") / _SPAN
