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
    status: CheckStatus
    """`fail` prevents runs, `warn` may."""
    message: str
    """Never contains a key."""
    remedy: str | None = None


def healthy(findings: Iterable[Finding]) -> bool:
    """Return whether no check failed."""
    return all(finding.status != "fail" for finding in findings)
