"""The result of a check."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

CheckStatus = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """One line of the diagnosis."""

    name: str
    """The subject."""
    status: CheckStatus
    """`fail` keeps runs from working, `warn` may, `ok` does not."""
    message: str
    """What was found; never a key."""
    remedy: str | None = None
    """What to do about it."""


def healthy(findings: Iterable[Finding]) -> bool:
    """Return whether no check failed."""
    return all(finding.status != "fail" for finding in findings)
