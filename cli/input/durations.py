"""Lengths of time on the command line: `90`, `30s`, `5m`, `2h`, `7d`, `1w`."""

from __future__ import annotations

import math
import re

from ai3ray.errors import UsageError

UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LENGTH = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*([smhdw]?)", re.ASCII)


def parse_deadline(text: str) -> float:
    """Return the seconds of `--deadline`, where a bare number is seconds and 0 is refused."""
    value = parse_duration(text, "--deadline", bare=True)
    if not value:
        raise UsageError("--deadline has to be longer than 0 seconds", "--deadline")
    return value


def parse_duration(text: str, flag: str, *, bare: bool = False) -> float:
    """Return the seconds of a number with a unit, or with `bare` of a number alone; raises UsageError.

    `flag` is the option's name, for the message.
    """
    found = _LENGTH.fullmatch(text.strip().lower())
    if found and (found[2] or bare):
        value = float(found[1]) * UNITS_S[found[2] or "s"]
        if math.isfinite(value):
            return value
    examples = "30, 30s or 5m" if bare else "12h, 7d or 4w"
    raise UsageError(f"{flag} is a length of time such as {examples}, not {text!r}", flag)
