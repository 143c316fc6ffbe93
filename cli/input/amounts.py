"""Amounts of money on the command line: `0.25`, `$0.25`."""

from __future__ import annotations

import math
import re

from ai3ray.errors import UsageError

_AMOUNT = re.compile(r"\$?\s*((?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?)", re.ASCII | re.IGNORECASE)


def parse_dollars(text: str, flag: str) -> float:
    """Return the US dollars of `text`; raises UsageError for anything but a positive, finite amount.

    `flag` is the option's name, for the message.
    """
    found = _AMOUNT.fullmatch(text.strip())
    value = float(found[1]) if found else 0.0
    if not found or not value or not math.isfinite(value):
        raise UsageError(f"{flag} is an amount of US dollars above 0, such as 0.25 or $0.25, not {text!r}", flag)
    return value
