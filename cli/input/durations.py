"""Lengths of time as people type them: `90`, `30s`, `5m`, `2h`, `7d`, `1w`."""

from __future__ import annotations

import math
import re

from ai3ray.errors import UsageError

UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LENGTH = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*([smhdw]?)", re.ASCII)


def parse_duration(text: str, flag: str, *, bare: bool = False) -> float:
    """The seconds that a word stands for.

    Args:
        text: a number with a unit.
        flag: where it was given, for the message.
        bare: whether a number alone is taken as seconds.

    Raises:
        UsageError: it is no length of time.
    """
    found = _LENGTH.fullmatch(text.strip().lower())
    if found and (found[2] or bare):
        value = float(found[1]) * UNITS_S[found[2] or "s"]
        if math.isfinite(value):
            return value
    examples = "30, 30s or 5m" if bare else "12h, 7d or 4w"
    raise UsageError(f"{flag} is a length of time such as {examples}, not {text!r}", flag)
