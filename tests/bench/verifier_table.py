"""What the rules find in the labelled answers, per class of defect, as a Markdown table and one JSON line.

    uv run python tests/bench/verifier_table.py [--show] [--half tuned|held]

The rules were tuned on the half `tuned` alone; `held` shows how far that carries.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ai3ray.domain.call import Reply, Usage
from ai3ray.domain.plan import Task
from ai3ray.domain.verdict import Verdict
from ai3ray.verifier.check import check_with_code

FOLDER = Path(__file__).parents[1] / "verifier" / "labelled"


@dataclass(frozen=True)
class Entry:
    """One labelled answer."""

    id: str
    defect_class: str
    bad: bool
    detectable: bool
    half: str
    task: Task
    reply: Reply

    def verdict(self) -> Verdict:
        return check_with_code(self.task, self.reply)


@dataclass
class Tally:
    """Counts of one class."""

    found: int = 0
    detectable: int = 0
    beyond: int = 0
    alarms: int = 0
    good: int = 0

    def count(self, entry: Entry, passed: bool) -> None:
        if not entry.bad:
            self.good += 1
            self.alarms += not passed
        elif entry.detectable:
            self.detectable += 1
            self.found += not passed
        else:
            self.beyond += 1

    @property
    def recall(self) -> float:
        return self.found / self.detectable if self.detectable else 1.0

    @property
    def false_alarms(self) -> float:
        return self.alarms / self.good if self.good else 0.0


def entries() -> list[Entry]:
    """All of them, class by class."""
    return [
        _entry(json.loads(line))
        for path in sorted(FOLDER.glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]


def tallies(labelled: Iterable[Entry]) -> dict[str, Tally]:
    """Counts per class, and of all together under `total`."""
    counts: dict[str, Tally] = {}
    total = Tally()
    for entry in labelled:
        passed = entry.verdict().passed
        for tally in (counts.setdefault(entry.defect_class, Tally()), total):
            tally.count(entry, passed)
    return {**counts, "total": total}


def table(counts: dict[str, Tally]) -> str:
    """The counts as Markdown."""
    lines = ["| class | found / detectable | false alarms / good | for a judge |", "|---|---|---|---|"]
    for name, tally in counts.items():
        shown = f"{tally.found} / {tally.detectable} | {tally.alarms} / {tally.good} | {tally.beyond}"
        lines.append(f"| {name.replace('_', ' ')} | {shown} |")
    return "\n".join(lines)


def figures(counts: dict[str, Tally]) -> dict[str, Any]:
    """The totals, for machines."""
    total = counts["total"]
    return {
        "found": total.found,
        "detectable": total.detectable,
        "recall": round(total.recall, 4),
        "false_alarms": total.alarms,
        "good": total.good,
        "false_alarm_rate": round(total.false_alarms, 4),
        "beyond_rules": total.beyond,
    }


def _entry(data: dict[str, Any]) -> Entry:
    return Entry(
        id=data["id"],
        defect_class=data["class"],
        bad=data["label"] == "bad",
        detectable=data["detectable_by_rules"],
        half=data["half"],
        task=Task.model_validate(data["task"]),
        reply=Reply(**data["reply"], usage=Usage(), model="labelled"),
    )


def _wrong(labelled: Iterable[Entry]) -> list[str]:
    """A line for each verdict that the label contradicts."""
    lines = []
    for entry in labelled:
        verdict = entry.verdict()
        if verdict.passed == (entry.bad and entry.detectable):
            said = "; ".join(f"{defect.part}: {defect.problem}" for defect in verdict.defects) or "passed"
            lines.append(f"{entry.half} {entry.id}: {said}")
    return lines


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--show", action="store_true", help="name the entries that are judged wrongly")
    parser.add_argument("--half", choices=["tuned", "held"], help="only this half")
    asked = parser.parse_args()
    labelled = [entry for entry in entries() if asked.half in (None, entry.half)]
    counts = tallies(labelled)
    print(table(counts))
    if asked.show:
        print(*_wrong(labelled), sep="\n")
    halves = {half: figures(tallies(entry for entry in labelled if entry.half == half)) for half in ("tuned", "held")}
    print(json.dumps({**figures(counts), **halves}))


if __name__ == "__main__":
    main()
