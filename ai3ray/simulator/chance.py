"""Chance that is drawn from the seed: the same question gives the same answer."""

from __future__ import annotations

from hashlib import blake2b

_SPAN = float(2**64)


def chance(seed: int, *about: object) -> float:
    """A number from 0 to 1, evenly spread over the questions.

    Args:
        seed: the simulator's seed.
        about: what is drawn for.
    """
    question = ":".join(map(str, (seed, *about)))
    return int.from_bytes(blake2b(question.encode(), digest_size=8).digest(), "big") / _SPAN
