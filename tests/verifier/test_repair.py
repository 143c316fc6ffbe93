"""The policy of repair and fallback, without a model."""

from __future__ import annotations

import pytest

from ai3ray.domain.verdict import Defect, Verdict
from ai3ray.verifier.repair import MODELS, Assessed, RepairAttempt, improve

DEFECT = Defect(part="answer", problem="it stops in the middle")
GOOD = Verdict(passed=True, score=1.0)
BAD = Verdict(passed=False, score=0.2, defects=(DEFECT,))


def told(limit: int, *brought: str) -> list[str]:
    """What the policy asks for, told in words, when the calls bring this.

    `good`, `bad`, `cut` and `refused` are what a call brings; models are called m1, m2, … as they are first asked.
    """
    policy = improve(limit)
    step = next(policy)
    words = []
    models = 0
    for what in brought:
        models += step.author is None
        model = step.author or f"m{models}"
        words.append(f"{step.role} {model}" + (f" x{step.cap_factor}" if step.cap_factor > 1 else ""))
        seen = Assessed(
            model=model,
            text=what,
            verdict=GOOD if what == "good" else BAD,
            truncated=what == "cut",
            repairable=what != "refused",
        )
        try:
            step = policy.send(seen)
        except StopIteration:
            return [*words, "end"]
    return words


@pytest.mark.parametrize(
    ("limit", "brought", "expected"),
    [
        (1, ["good"], ["task m1", "end"]),
        (1, ["bad", "good"], ["task m1", "repair m1", "end"]),
        (1, ["bad", "bad", "good"], ["task m1", "repair m1", "task m2", "end"]),
        (1, ["bad", "bad", "bad"], ["task m1", "repair m1", "task m2", "end"]),
        (0, ["bad", "bad"], ["task m1", "task m2", "end"]),
        (3, ["bad"] * 5, ["task m1", "repair m1", "repair m1", "repair m1", "task m2", "end"]),
        (1, ["cut", "good"], ["task m1", "task m1 x2", "end"]),
        (1, ["cut", "cut", "good"], ["task m1", "task m1 x2", "task m2", "end"]),
        (1, ["cut", "cut", "cut", "cut"], ["task m1", "task m1 x2", "task m2", "task m2 x2", "end"]),
        (1, ["refused", "bad", "good"], ["task m1", "task m2", "repair m2", "end"]),
        (1, ["cut", "bad", "good"], ["task m1", "task m1 x2", "repair m1", "end"]),
    ],
)
def test_what_follows_from_what(limit, brought, expected):
    assert told(limit, *brought) == expected


def test_refusals_use_up_no_turn_but_have_an_end():
    assert told(1, *["refused"] * 10) == [*(f"task m{n}" for n in range(1, MODELS + 1)), "end"]


def test_a_repair_quotes_the_answer_and_its_defects():
    policy = improve(1)
    assert next(policy) == RepairAttempt()
    step = policy.send(Assessed(model="m1", text="half an answer", verdict=BAD))
    assert (step.role, step.author, step.answer, step.defects, step.n) == (
        "repair",
        "m1",
        "half an answer",
        (DEFECT,),
        1,
    )


def test_who_has_had_a_turn_is_excluded_from_the_next():
    policy = improve(0)
    next(policy)
    assert policy.send(Assessed(model="m1", text="x", verdict=BAD)).exclude == {"m1"}
