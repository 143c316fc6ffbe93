"""The judge: another model decides whether an answer may be committed."""

from __future__ import annotations

import json
import re
from typing import Any

from pydantic import ValidationError

from ai3ray.domain.call import Reply
from ai3ray.domain.plan import Task
from ai3ray.domain.verdict import Defect, Verdict
from ai3ray.errors import MalformedReply
from ai3ray.prompts.asking import Ask, Asking
from ai3ray.prompts.judge_prompt import judge_prompt

_OBJECT = re.compile(r"\{.*\}", re.DOTALL)


def judge(task: Task, answer: str, *, author: str, fence: str) -> Asking[Verdict]:
    """Have another model than the author judge an answer.

    Raises:
        MalformedReply: the judge gave no verdict.
    """
    said = yield Ask(
        judge_prompt(task, answer, fence=fence),
        role="judge",
        kind="reasoning",
        tier="small",
        exclude=(author,),
        structured=True,
        stretch=False,
    )
    return read_verdict(said.reply, said.model)


def read_verdict(reply: Reply, judge: str) -> Verdict:
    """Read the judge's verdict. If it contradicts itself, its defects decide.

    Raises:
        MalformedReply: the reply is not a verdict.
    """
    found = _OBJECT.search(reply.text)
    try:
        data: Any = json.loads(found[0]) if found else None
        defects = tuple(Defect(part=str(one["part"]), problem=str(one["problem"])) for one in data["defects"][:5])
        score = min(1.0, max(0.0, float(data["score"])))
        passed = data["passed"]
        if not isinstance(passed, bool):
            raise TypeError(f"passed is {passed!r}, not a boolean")  # noqa: TRY301 - one error for all that is no verdict
        if not passed and not defects:
            defects = (Defect(part="answer", problem="the judge rejected it without a reason"),)
        return Verdict(passed=passed, score=score, defects=() if passed else defects, by=judge)
    except (ValueError, TypeError, KeyError, ValidationError) as error:
        raise MalformedReply(f"{judge} gave no verdict: {error}", model=judge) from error
