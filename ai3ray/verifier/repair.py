"""The policy of repair and fallback, as a generator that decides and never acts.

best model ── defect ──► the same model, defects quoted (up to the repair limit)
    │                          └── defect ──► next-best model, once ── defect ──► the task fails
    ├── cut off ──► the same model, twice the cap ── cut off ──► next-best model
    └── refused or empty ──► next-best model: there is nothing to repair

"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Literal

from ai3ray.domain.verdict import Defect, Verdict


@dataclass(frozen=True)
class Assessed:
    """An answer and its verdict."""

    model: str
    """The author, as `provider/model`."""
    text: str
    verdict: Verdict
    truncated: bool = False
    """True if it reached the cap of its length."""
    repairable: bool = True
    """False if it is empty or a refusal."""


@dataclass(frozen=True)
class RepairAttempt:
    """The next call of a task."""

    role: Literal["task", "repair"] = "task"
    author: str | None = None
    """The only model to call; None for any that is not excluded."""
    exclude: frozenset[str] = frozenset()
    """Models that were tried."""
    cap_factor: int = 1
    """The cap of the answer, as a multiple of the usual one."""
    answer: str = ""
    """The answer to repair."""
    defects: tuple[Defect, ...] = ()
    n: int = 0
    """Number of the repair, from 1."""


TURNS = 2
"""Models that may fail by a defect: the best and the next-best one."""
MODELS = 4
"""Most models called; a refusal or an empty answer does not use up a turn."""

Policy = Generator[RepairAttempt, Assessed, None]


def improve(repair_limit: int) -> Policy:
    """Yield calls, and receive each assessed answer, until one passes or nothing is left to try.

    Args:
        repair_limit: how often the first model's answer goes back to it.
    """
    exclude: frozenset[str] = frozenset()
    turns = 0
    while turns < TURNS and len(exclude) < MODELS:
        assessed = yield RepairAttempt(exclude=exclude)
        if assessed.truncated:
            assessed = yield RepairAttempt(author=assessed.model, exclude=exclude, cap_factor=2)
        for n in range(1, 1 + (repair_limit if turns == 0 else 0)):
            if assessed.verdict.passed or assessed.truncated or not assessed.repairable:
                break
            assessed = yield RepairAttempt(
                role="repair",
                author=assessed.model,
                exclude=exclude,
                answer=assessed.text,
                defects=assessed.verdict.defects,
                n=n,
            )
        if assessed.verdict.passed:
            return
        turns += assessed.repairable
        exclude |= {assessed.model}
