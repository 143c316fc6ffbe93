"""The judge: another model than the author says whether an answer may be committed."""

from __future__ import annotations

import json
import re
from typing import Any

from pydantic import ValidationError

from ai3ray.domain.call import Message, Prompt, Reply
from ai3ray.domain.plan import Task
from ai3ray.domain.verdict import Defect, Verdict
from ai3ray.errors import MalformedReply
from ai3ray.settings.packaged import prompt_text, prompt_with

MAX_ANSWER = 24_000
"""Characters of an answer that the judge reads: its beginning and its end when it is longer."""
MAX_TASK = 6_000
"""Characters of the task that the judge reads."""
JUDGE_OUTPUT_TOKENS = 600
"""Cap of a verdict, in tokens."""

VERDICT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "passed": {"type": "boolean", "description": "Whether the answer may be used as it is."},
        "score": {"type": "number", "description": "How good it is, from 0 to 1."},
        "defects": {
            "type": "array",
            "description": "What has to be mended; empty when it passed.",
            "items": {
                "type": "object",
                "properties": {
                    "part": {"type": "string", "description": "Where: a section, a field, or `answer`."},
                    "problem": {"type": "string", "description": "What is wrong, in one sentence."},
                },
                "required": ["part", "problem"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["passed", "score", "defects"],
    "additionalProperties": False,
}

_OBJECT = re.compile(r"\{.*\}", re.DOTALL)


def judge_prompt(task: Task, answer: str, *, fence: str) -> Prompt:
    """What the judge is asked: the task and the answer, nothing of the rest of the run.

    Args:
        task: what was asked for.
        answer: the answer as it would be committed.
        fence: a random word that no text can know.
    """
    form = "JSON" if task.output == "json" else task.output
    text = prompt_with(
        "judge_request",
        fence=fence,
        task=_middle_out(task.prompt.replace(fence, ""), MAX_TASK),
        form=form,
        answer=_middle_out(answer.replace(fence, ""), MAX_ANSWER),
    )
    return Prompt(
        system=prompt_text("judge"),
        messages=(Message(role="user", text=text),),
        max_output_tokens=JUDGE_OUTPUT_TOKENS,
        json_schema=VERDICT_SCHEMA,
        schema_name="verdict",
    )


def read_verdict(reply: Reply, judge: str) -> Verdict:
    """The judge's verdict. A verdict that contradicts itself counts by its defects.

    Args:
        reply: the judge's answer.
        judge: its `provider/model`.

    Raises:
        MalformedReply: it is no verdict.
    """
    found = _OBJECT.search(reply.text)
    try:
        data: Any = json.loads(found[0]) if found else None
        defects = tuple(Defect(part=str(one["part"]), problem=str(one["problem"])) for one in data["defects"][:5])
        score = min(1.0, max(0.0, float(data["score"])))
        passed = _boolean(data["passed"])
        if not passed and not defects:
            defects = (Defect(part="answer", problem="the judge rejected it without a reason"),)
        return Verdict(passed=passed, score=score, defects=() if passed else defects, by=judge)
    except (ValueError, TypeError, KeyError, ValidationError) as error:
        raise MalformedReply(f"{judge} gave no verdict: {error}", model=judge) from error


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"passed is {value!r}, not a boolean")
    return value


def _middle_out(text: str, limit: int) -> str:
    """A text within a limit: a judge has to see how it begins and how it ends."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n[… {len(text) - limit} characters left out …]\n{text[-half:]}"
