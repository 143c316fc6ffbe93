"""The findings of `ai3 doctor` as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from ai3ray.report.format import one_line

from ..checks.finding import Finding, healthy

if TYPE_CHECKING:
    from rich.text import Text

STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def diagnosis_json(findings: Sequence[Finding]) -> str:
    """Return `{ok, checks: [{name, status, message, remedy}]}`."""
    checks = [asdict(finding) for finding in findings]
    return json.dumps({"ok": healthy(findings), "checks": checks}, indent=2, ensure_ascii=False)


def diagnosis_text(findings: Sequence[Finding]) -> Text:
    """Return a line per finding with its remedy below it, and the number of each status."""
    from rich.text import Text

    names = max(len(finding.name) for finding in findings)
    text = Text()
    for finding in findings:
        text.append(f"{finding.status:<4}", STYLES[finding.status])
        text.append(f"  {finding.name:<{names}}  {one_line(finding.message)}\n")
        if finding.remedy:
            text.append(f"{'':{names + 6}}  -> {one_line(finding.remedy)}\n", "bold")
    counted = {status: sum(finding.status == status for finding in findings) for status in STYLES}
    return text.append(", ".join(f"{number} {status}" for status, number in counted.items() if number))
